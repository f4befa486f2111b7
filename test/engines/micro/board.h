/* What host.c needs of a board. Each board-*.c also brings the vector table and the reset handler. */
#ifndef MICRO_BOARD_H
#define MICRO_BOARD_H

#include <stdint.h>

/* Where the program image lies: header, names, bytecode (see bytecode.c). Read only. */
extern const uint8_t* const boardProgram;

void boardInit(void);
void boardWrite(const char* text);
/* The count so far: instructions (m4) or cycles (rp2040). */
uint64_t boardCount(void);
_Noreturn void boardExit(int status);

int main(void);

#endif
