/** The order of ballots: by counter, then by peer; total, because a peer never uses a counter twice. */
import type { Ballot } from './types.ts'

/** Negative when `a` is lower, 0 when they are the same, positive when `a` is higher. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.counter !== b.counter) return a.counter - b.counter
  return a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0
}
