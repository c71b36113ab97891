/** What happens on this peer, as the driver takes it: an event of the protocol core, to which the driver adds the time. */
import type { Event } from '../../jobs/core/types.ts'

export type LocalEvent = Event extends infer E ? (E extends { nowMs: number } ? Omit<E, 'nowMs'> : never) : never
