/** The real networks that tests are run on: the demo's own, and others where they lie beside the package. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/base/package-root.ts'
import { type Prng, prng } from '../../src/base/prng.ts'
import type { Program } from '../../src/compute/engine/program.ts'
import type { KernelArray } from '../../src/compute/tensor/dtype.ts'
import { elementsOf } from '../../src/compute/tensor/shape.ts'

const folder = join(packageRoot, '../shared/models')

export interface SharedModel {
  name: string
  bytes: Uint8Array
  /** Rows that a test runs it with. */
  batch: number
  /** The largest value of its input. */
  scale: number
}

const all = [
  { name: 'cifar10-resnet8', file: 'cifar10-resnet8/model.onnx', batch: 3, scale: 255 },
  { name: 'cifar10-vgg', file: 'cifar10-vgg/model.onnx', batch: 3, scale: 1 },
  { name: 'mnist', file: 'mnist.onnx', batch: 1, scale: 255 },
  { name: 'ultraface', file: 'ultraface-rfb320.onnx', batch: 1, scale: 1 },
]

/** The demo's networks, which every clone has. */
export const demoModels: readonly SharedModel[] = ['shapes-plain', 'shapes-residual', 'shapes-separable'].map(name => ({
  name,
  bytes: new Uint8Array(readFileSync(join(packageRoot, 'demo/models', name, 'model.onnx'))),
  batch: 3,
  scale: 1,
}))

/** Those of the named networks that are there; says in one line how many are not. */
export function sharedModels(...names: string[]): SharedModel[] {
  const wanted = all.filter(({ name }) => names.length === 0 || names.includes(name))
  const there = wanted.filter(({ file }) => existsSync(join(folder, file)))
  const missing = wanted.length - there.length
  if (missing > 0) console.warn(`SKIPPED: ${missing} of ${wanted.length} real networks are not there (${folder})`)
  return there.map(({ file, ...model }) => ({ ...model, bytes: new Uint8Array(readFileSync(join(folder, file))) }))
}

/** Seeded values for all input ports, uniform in [0, scale) or whole bytes. */
export function randomInputs(program: Program, scale: number, random: Prng = prng(7)): Record<string, KernelArray> {
  return Object.fromEntries(
    program.inputs.map(port => {
      const count = elementsOf(port.dims)
      const data =
        port.dtype === 'uint8'
          ? Uint8Array.from({ length: count }, () => random.int(256))
          : Float32Array.from({ length: count }, () => random.next() * scale)
      return [port.name, data]
    }),
  )
}

/** ||got - want|| / ||want|| */
export function relativeL2(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let difference = 0
  let norm = 0
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2
    norm += want[i] ** 2
  }
  return got.length === want.length ? Math.sqrt(difference / norm) : Number.POSITIVE_INFINITY
}
