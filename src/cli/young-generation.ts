/**
 * Bounds what V8 sets aside for new objects. By default it grows to 128 MB in the main thread and 32 in each other one;
 * worse, the buffers that dead objects held (images, blocks, results) are not freed before it is full. With a few MB a
 * peer at work takes half the memory, in the same time: figures in bench/NOTES.md.
 */
import { setFlagsFromString } from 'node:v8'

const semiSpaceMb = 4

/** Call it first: threads that are started later begin with these settings. */
export function boundYoungGeneration(): void {
  // This thread's bound was set when it began, but it grows on the way there, and is told not to.
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString(`--min-semi-space-size=${semiSpaceMb}`)
  setFlagsFromString(`--max-semi-space-size=${semiSpaceMb}`)
}
