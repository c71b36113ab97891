/**
 * Named arrays of float64: what a round's parameters and partial sums are made of, whatever the method.
 *
 * Invariant: an array's name and length follow from the options and the data's summary alone (its layout), so that what
 * another peer sends is checked before it is used.
 */
import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { assert, PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

export type Arrays = Readonly<Record<string, Float64Array>>

/** Name -> number of values. */
export type Layout = Readonly<Record<string, number>>

/** Element by element. Both have the same names and lengths. */
export function addArrays(a: Arrays, b: Arrays): Arrays {
  return Object.fromEntries(Object.entries(a).map(([name, values]) => [name, addValues(values, b[name])]))
}

export function addValues(a: Float64Array, b: Float64Array): Float64Array {
  assert(b !== undefined && a.length === b.length, 'arrays that are added have one layout')
  const sum = new Float64Array(a.length)
  for (let i = 0; i < a.length; i++) sum[i] = a[i] + b[i]
  return sum
}

export function zeros(layout: Layout): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(layout).map(([name, length]) => [name, new Float64Array(length)]))
}

/** Holds the labels of a table too. */
const headCharsMax = 3_000_000

const wire = z.strictObject({
  version: z.literal(1),
  head: z.string().max(headCharsMax),
  arrays: z.record(z.string().max(64), z.instanceof(Uint8Array)),
})

/** @param head what else there is to say, as JSON */
export function encodeArrays(head: string, arrays: Arrays): Uint8Array {
  const bytes = Object.fromEntries(
    Object.entries(arrays).map(([name, values]) => [
      name,
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    ]),
  )
  return encode({ version: 1, head, arrays: bytes })
}

/**
 * @param layoutOf the layout that belongs to a head; it throws where the head is not sound
 * @throws PeerError LEARN_BAD_BLOCK
 */
export function decodeArrays(
  bytes: Uint8Array,
  layoutOf: (head: string) => Layout,
  what: string,
): { head: string; arrays: Arrays } {
  const fail = (problem: string, cause?: unknown) =>
    new PeerError({
      code: 'LEARN_BAD_BLOCK',
      kind: 'protocol',
      message: `${what} of a training cannot be read: ${problem}; the peer that sent it may have another version`,
      cause,
    })
  if (bytes.length > limits.learnValuesMax * 8 + 4 * headCharsMax) throw fail(`it has ${bytes.length} bytes`)
  let raw: unknown
  try {
    raw = decode(bytes)
  } catch (cause) {
    throw fail('its bytes are damaged', cause)
  }
  const parsed = wire.safeParse(raw)
  if (!parsed.success) throw fail('its fields are not those expected')
  const { head, arrays } = parsed.data
  const layout = layoutOf(head)
  const names = Object.keys(layout)
  if (Object.keys(arrays).length !== names.length) throw fail(`it holds other arrays than ${names.join(', ')}`)
  const read = names.map((name): [string, Float64Array] => {
    const values = arrays[name]
    if (values?.length !== layout[name] * 8) throw fail(`${name} has not ${layout[name]} values`)
    // Copied, because float64 must lie at multiples of 8 bytes.
    return [name, new Float64Array(values.slice().buffer)]
  })
  return { head, arrays: Object.fromEntries(read) }
}
