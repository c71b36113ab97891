/** A wait that lasts says what for. */
const quietMs = 5000

/** `work`; after five seconds a line on standard error says that `what` is waited for. */
export async function sayIfLong<T>(what: string, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => process.stderr.write(`  waiting for ${what}\n`), quietMs)
  timer.unref()
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}

/** The same of a stream's first item. */
export async function* sayIfLongTo<T>(what: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  try {
    for (let next = await sayIfLong(what, iterator.next()); !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}
