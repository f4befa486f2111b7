/*
 * What XS asks of its platform, for programs built from one set of sources: the microcontroller hosts
 * (MICRO_DEVICE, little endian, no operating system, no unaligned access), and on the machine that runs the
 * tests the bytecode compiler and the 32-bit worker (MICRO_WORKER). Keys are 16 bits in all of them, so that
 * bytecode of one fits the other.
 */
#ifndef MICRO_XS_PLATFORM_H
#define MICRO_XS_PLATFORM_H

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* XS assumes it may read 16 and 32 bits anywhere: a Cortex-M0+ faults, an ESP32 traps and is slow. */
#define mxUnalignedAccess 0

#define mxMachinePlatform int promiseJobs;

#define mxUseDefaultMachinePlatform 1
#define mxUseDefaultBuildKeys 1
#define mxUseDefaultFindModule 1
#define mxUseDefaultLoadModule 1
#define mxUseDefaultSharedChunks 1

#ifdef MICRO_DEVICE
  /* Slots and chunks come from a fixed arena, the C stack has a limit, a full arena ends the run: host.c. */
  #define mxUseDefaultCStackLimit 0
  #define C_PATH_MAX 128
#else
  #define mxUseDefaultParseScript 1
  #define mxUseDefaultQueuePromiseJobs 1
  #ifndef MICRO_WORKER
    #define mxUseDefaultChunkAllocation 1
    #define mxUseDefaultSlotAllocation 1
    #define mxUseDefaultAbort 1
  #endif
#endif

#endif
