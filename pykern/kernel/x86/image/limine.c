/* What the kernel asks of a loader that speaks the Limine boot protocol; hosted code reads the
 * answers. Reference: The Limine Boot Protocol, Requests, Base revisions.
 */
typedef unsigned long u64;

#define COMMON 0xc7b1dd30df4c8b88, 0x0a82e883a194f07b

struct request {
    u64 id[4];
    u64 revision;
    void *response;
    u64 argument;
};

__attribute__((used, section(".limine_requests_start"))) static volatile u64 start_marker[] = {
    0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9};

__attribute__((used, section(".limine_requests"))) volatile u64 limine_base_revision[] = {
    0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, 3};

/* The order is known to ../limine.py. */
__attribute__((used, section(".limine_requests"))) volatile struct request limine_requests[] = {
    {{COMMON, 0x67cf3d9d378a806f, 0xe304acdfc50c3c62}, 0, 0, 0}, /* memory map */
    {{COMMON, 0x48dcf1cb8ad2b852, 0x63984e959a98244b}, 0, 0, 0}, /* HHDM */
    {{COMMON, 0xc5e77b6b397e7b43, 0x27637845accdcf3c}, 0, 0, 0}, /* RSDP */
    {{COMMON, 0x9d5827dcd881dd75, 0xa3148604f6fab11b}, 0, 0, 0}, /* framebuffer */
    {{COMMON, 0x3e7e279702be32af, 0xca1c4f3bd1280cee}, 0, 0, 0}, /* modules */
    {{COMMON, 0x71ba76863cc55f63, 0xb2644a48c516a487}, 0, 0, 0}, /* executable address */
    {{COMMON, 0x4b161536e598651e, 0xb390ad4a2f1f303a}, 0, 0, 0}, /* executable command line */
    {{COMMON, 0x502746e184c088aa, 0xfbc5ec83e6327893}, 0, 0, 0}, /* boot time */
};

__attribute__((used, section(".limine_requests_end"))) static volatile u64 end_marker[] = {
    0xadc0e0531bb10d03, 0x9572709f31764c62};

/* A command line that comes in front of the loader's; `image build --parts` writes it in here. */
__attribute__((used)) const volatile char built_in_command_line[256] = "PYKERN COMMAND LINE:";
