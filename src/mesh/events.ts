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
  /** Emits `refused`, unless one from the same host was refused lately. */
  refuse(from: string): void
}

const repeatMs = 30_000
const heldMax = 32
const rememberedMax = 256

export function createEmitter(): Emitter {
  const handlers: { [K in keyof MeshEvents]: Set<(event: MeshEvents[K]) => void> } = {
    up: new Set(),
    down: new Set(),
    refused: new Set(),
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

  /** Whether the same was said within half a minute; notes that it is said now. */
  function repeats(key: string): boolean {
    const now = performance.now()
    const before = saidMs.get(key)
    if (before !== undefined && now - before < repeatMs) return true
    if (saidMs.size >= rememberedMax) saidMs.clear()
    saidMs.set(key, now)
    return false
  }

  function warn(message: string): void {
    if (repeats(message)) return
    if (handlers.warning.size > 0) emit('warning', message)
    else if (held.length < heldMax) held.push(message)
  }

  return {
    emit,
    warn,
    refuse(from) {
      // A stranger's port is another one every time.
      if (!repeats(`refused ${from.replace(/\/(tcp|udp)\/.*$/, '')}`)) emit('refused', from)
    },
    on(event, handler) {
      handlers[event].add(handler)
      if (event === 'warning') for (const message of held.splice(0)) queueMicrotask(() => emit('warning', message))
      return () => handlers[event].delete(handler)
    },
  }
}
