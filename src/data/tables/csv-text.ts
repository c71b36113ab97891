/**
 * The bytes of a CSV file as UTF-8: other encodings are decoded where the file's first bytes or the caller names them, and
 * bytes that are no UTF-8 are an error with their place. Nothing is guessed: a wrong letter would be another class.
 */
import { isUtf8 } from 'node:buffer'
import { PeerError } from '../../base/errors.ts'

/** Marks at the start of a file, the longer ones first. */
const marks: readonly { bytes: readonly number[]; encoding: string }[] = [
  { bytes: [0xff, 0xfe, 0, 0], encoding: 'utf-32le' },
  { bytes: [0, 0, 0xfe, 0xff], encoding: 'utf-32be' },
  { bytes: [0xef, 0xbb, 0xbf], encoding: 'utf-8' },
  { bytes: [0xff, 0xfe], encoding: 'utf-16le' },
  { bytes: [0xfe, 0xff], encoding: 'utf-16be' },
]

/** Whether this program can decode it: the names of the WHATWG's Encoding Standard, such as latin1, utf-16le, shift_jis. */
export function isEncoding(name: string): boolean {
  try {
    new TextDecoder(name)
    return true
  } catch {
    return false
  }
}

function textError(code: string, name: string, what: string, details: Record<string, unknown> = {}): PeerError {
  return new PeerError({ code, kind: 'input', message: `${name} ${what}`, details: { file: name, ...details } })
}

/** @throws PeerError TABLE_ENCODING */
function encodingOf(head: Uint8Array, name: string, stated: string | undefined): string {
  const marked = marks.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte))?.encoding
  if (marked?.startsWith('utf-32'))
    throw textError('TABLE_ENCODING', name, `is ${marked.toUpperCase()}, which is not read: write it as UTF-8`)
  if (marked !== undefined) return marked
  if (stated !== undefined) return stated
  const zeros = (odd: number) => head.filter((byte, i) => byte === 0 && i % 2 === odd).length
  if (head.length >= 4 && zeros(0) + zeros(1) > head.length / 4) {
    const guess = zeros(1) >= zeros(0) ? 'utf-16le' : 'utf-16be'
    throw textError('TABLE_ENCODING', name, `looks like UTF-16 without its mark: say so with --encoding ${guess}`)
  }
  return 'utf-8'
}

/** Bytes at the end of `chunk` that may begin a character of UTF-8. */
function openTail(chunk: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, chunk.length); back++) {
    const byte = chunk[chunk.length - back]
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0
  }
  return 0
}

/** Lets UTF-8 through as it is. @throws PeerError TABLE_ENCODING with the line and the byte of what is none */
async function* checkedUtf8(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let line = 1
  let before = 0
  let carry = Buffer.alloc(0)
  const check = (bytes: Buffer) => {
    if (!isUtf8(bytes)) throw wrongByte(bytes, name, line, before)
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) line++
    before += bytes.length
  }
  for await (const chunk of chunks) {
    const bytes = carry.length > 0 ? Buffer.concat([carry, chunk]) : chunk
    const tail = openTail(bytes)
    const whole = bytes.subarray(0, bytes.length - tail)
    carry = Buffer.from(bytes.subarray(bytes.length - tail))
    check(whole)
    yield whole
  }
  if (carry.length > 0) throw wrongByte(carry, name, line, before)
}

function wrongByte(bytes: Buffer, name: string, firstLine: number, before: number): PeerError {
  let line = firstLine
  let start = 0
  for (let end = bytes.indexOf(10); ; end = bytes.indexOf(10, end + 1)) {
    const text = bytes.subarray(start, end < 0 ? bytes.length : end)
    if (!isUtf8(text) || end < 0) {
      // The shortest beginning that cannot be UTF-8 ends in the wrong byte, or before it.
      let at = 0
      while (at < text.length && isUtf8(text.subarray(0, at + 1 - openTail(text.subarray(0, at + 1))))) at++
      const place = before + start + Math.min(at, Math.max(0, text.length - 1)) + 1
      const what = `line ${line}: byte ${place} of the file is no UTF-8; name its encoding, such as --encoding latin1 (Western European) or windows-1250`
      return textError('TABLE_ENCODING', `${name},`, what, { line, byte: place })
    }
    line++
    start = end + 1
  }
}

/**
 * @param encoding what the caller says of a file without a mark
 * @throws PeerError TABLE_ENCODING
 */
export async function* asUtf8(
  chunks: AsyncIterable<Buffer>,
  name: string,
  encoding?: string,
): AsyncGenerator<Buffer | string> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) return
  const rest = (async function* () {
    yield first.value
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  })()
  const found = encodingOf(first.value.subarray(0, 512), name, encoding)
  if (/^utf-?8$/i.test(found)) return yield* checkedUtf8(rest, name)
  const decoder = new TextDecoder(found, { fatal: true })
  try {
    for await (const chunk of rest) yield decoder.decode(chunk, { stream: true })
    yield decoder.decode()
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown
    throw textError('TABLE_ENCODING', name, `is not ${found}: name another --encoding`)
  }
}
