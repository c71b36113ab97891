/**
 * The mesh's events. A handler that throws does not stop the mesh: the error becomes a warning. A warning is
 * not repeated within half a minute, and the first ones wait for whoever listens first.
 */
import type { MeshEvents } from './types.ts'

export interface Emitter {
  on<K extends keyof MeshEvents>(event: K, handler: (event: MeshEvents[K]) => void): () => void
  emit<K extends keyof MeshEvents>(event: K, detail: MeshEvents[K]): void
  /** Emits a `warning`, unless the same one was emitted lately. */
  warn(message: string): void
}

const repeatMs = 30_000
const heldMax = 32
const rememberedMax = 256

export function createEmitter(): Emitter {
  const handlers: { [K in keyof MeshEvents]: Set<(event: MeshEvents[K]) => void> } = {
    up: new Set(),
    down: new Set(),
    warning: new Set(),
  }
  const held: string[] = []
  const saidMs = new Map<string, number>()

  function emit<K extends keyof MeshEvents>(event: K, detail: MeshEvents[K]): void {
    for (const handler of [...handlers[event]]) {
      try {
        handler(detail)
      } catch (thrown) {
        // A warning about the handlers of warnings would never end.
        if (event !== 'warning') warn(`a handler of ${event} failed: ${String(thrown)}`)
      }
    }
  }

  function warn(message: string): void {
    const now = performance.now()
    const before = saidMs.get(message)
    if (before !== undefined && now - before < repeatMs) return
    if (saidMs.size >= rememberedMax) saidMs.clear()
    saidMs.set(message, now)
    if (handlers.warning.size > 0) emit('warning', message)
    else if (held.length < heldMax) held.push(message)
  }

  return {
    emit,
    warn,
    on(event, handler) {
      handlers[event].add(handler)
      if (event === 'warning') for (const message of held.splice(0)) queueMicrotask(() => emit('warning', message))
      return () => handlers[event].delete(handler)
    },
  }
}
