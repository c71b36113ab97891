/**
 * Others' words on this terminal: names of peers and jobs, paths, labels and reasons come from other machines, and may hold
 * control characters that move the cursor, change the title or hide text. Everything that a peer says passes here once.
 */
import type { Control, ResultItem } from '../peer/control.ts'

/** C0 and C1 control characters, and those that reverse the direction of text (Unicode TR 36, section 2.4). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The text with such characters as `\x1b` and `\u202e`. */
export function plain(text: string): string {
  return text.replace(unsafe, character => {
    const code = character.charCodeAt(0).toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}

/** Plain data with every text in it made plain. */
export function plainData<T>(value: T): T {
  if (typeof value === 'string') return plain(value) as T
  if (Array.isArray(value)) return value.map(plainData) as T
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainData(member)])) as T
}

/** The control of a peer whose answers may be shown as they are; results are files, and stay what they are. */
export function plainControl<C extends Control>(control: C): C {
  const calls = ['info', 'peers', 'jobs', 'job', 'submit', 'cancel', 'drop', 'reachability', 'gc'] as const
  const safe: Partial<Control> = {
    async *watch(id, signal) {
      for await (const state of control.watch(id, signal)) yield plainData(state)
    },
  }
  for (const name of calls) {
    const call = control[name].bind(control) as (...args: unknown[]) => Promise<unknown>
    Object.assign(safe, { [name]: async (...args: unknown[]) => plainData(await call(...args)) })
  }
  return Object.assign(Object.create(control), safe) as C
}

/** Items of a result for a terminal. */
export async function* plainItems(items: AsyncIterable<ResultItem>): AsyncGenerator<ResultItem> {
  for await (const item of items) yield item.type === 'bytes' || item.type === 'rows' ? item : plainData(item)
}
