/** The attributes of one op, read by name and type; an absent one takes the default that the operator's specification gives. */
import type { Constant } from '../tensor/constant.ts'

export interface AttributeValue {
  f: number
  i: number
  s: string
  t?: Constant
  floats: readonly number[]
  ints: readonly number[]
  strings: readonly string[]
}

export interface Attributes {
  has(name: string): boolean
  float(name: string, fallback: number): number
  int(name: string, fallback: number): number
  string(name: string, fallback: string): string
  /** Undefined where absent. */
  ints(name: string): readonly number[] | undefined
  floats(name: string): readonly number[] | undefined
  strings(name: string): readonly string[] | undefined
  tensor(name: string): Constant | undefined
}

export function makeAttributes(values: ReadonlyMap<string, AttributeValue>): Attributes {
  return {
    has: name => values.has(name),
    float: (name, fallback) => values.get(name)?.f ?? fallback,
    int: (name, fallback) => values.get(name)?.i ?? fallback,
    string: (name, fallback) => values.get(name)?.s ?? fallback,
    ints: name => values.get(name)?.ints,
    floats: name => values.get(name)?.floats,
    strings: name => values.get(name)?.strings,
    tensor: name => values.get(name)?.t,
  }
}
