/* Lines `name value` on COM1, numbers in hexadecimal. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

extern u64 state[];

void say(const char *name, u64 value);
void say_text(const char *name, const char *text);
void say_bytes(const char *name, const void *data, u64 size);
void say_range(u64 base, u64 length, u64 type);
void say_machine(void);
