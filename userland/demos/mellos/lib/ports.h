/* Who listens where, in the demos. */
#pragma once

#define PORT_REPLY 1
#define PORT_REQUEST 2
#define PORT_QUEUE 3

#define BUFFER_SIZE 64
#define ROUNDS 100
