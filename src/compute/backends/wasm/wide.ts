/**
 * The kernels' module a second time, compiled so that V8 pairs 128-bit vectors into 256-bit ones ("revectorisation"), for
 * those kernels that are written for it. Twice the speed where the processor has AVX2 and FMA.
 *
 * V8 calls the pass experimental, and it had faults (splats by shuffle, conversions, offsets near 2 GiB). So: the flag is set
 * while this one module is compiled and taken back at once; every kernel that runs from it gives the plain module's bits
 * on a self-test first, and is faster; on any difference there is no wide module. Only `wideEntries` are ever run from it.
 */
import { setFlagsFromString } from 'node:v8'
import { prng } from '../../../base/prng.ts'

/** The exports that are run from the wide module: those whose every way the self-test goes. */
export const wideEntries: ReadonlySet<string> = new Set([
  'ceiling',
  'conv2dChannelsLast',
  'conv2dChannelsLastDepthwise',
  'conv2dChannelsLastFramed',
  'conv2dChannelsLastWinograd',
  'gemmPacked',
  'gemm',
  'matmul',
  'softmaxLines',
  'squaredDistance',
  'unaryPairs',
])

/** The engines whose flag has this name; another prints an error to stderr and cannot be asked before. */
const knownEngines = /^1[34]\./

/** Faster than this, or it is not worth its risk. */
const leastGain = 1.3

/** What is called at the memory's start is scratch, then operands, then the two results. */
const pages = 64
const scratchAt = 1024
const operandsAt = 1024 * 1024
const resultsAt = 2 * 1024 * 1024
const resultBytes = 512 * 1024

type Kernel = (...args: number[]) => unknown

/** Compiles so that no function waits for its first call or for a second tier. */
function compileAhead(bytes: Uint8Array<ArrayBuffer>, more: readonly string[] = []): WebAssembly.Module {
  setFlagsFromString('--no-liftoff')
  setFlagsFromString('--no-wasm-lazy-compilation')
  for (const flag of more) setFlagsFromString(`--${flag}`)
  try {
    return new WebAssembly.Module(bytes)
  } finally {
    for (const flag of more) setFlagsFromString(`--no-${flag}`)
    setFlagsFromString('--wasm-lazy-compilation')
    setFlagsFromString('--liftoff')
  }
}

/** The module with a custom section behind it: V8 would share the code of equal bytes. */
function marked(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode('wide')
  return new Uint8Array([...bytes, 0, name.length + 1, name.length, ...name])
}

export interface CompiledKernels {
  plain: WebAssembly.Module
  /** Undefined where this machine does not pair, or not rightly. */
  wide: WebAssembly.Module | undefined
}

/** @param bytes of a module that fuses multiply-adds */
export function compileWide(bytes: Uint8Array<ArrayBuffer>): CompiledKernels {
  const supported = process.arch === 'x64' && knownEngines.test(process.versions.v8)
  if (!supported) return { plain: new WebAssembly.Module(bytes), wide: undefined }
  const plain = compileAhead(bytes)
  const wide = compileAhead(marked(bytes), ['experimental-wasm-revectorize'])
  return { plain, wide: passes(plain, wide) ? wide : undefined }
}

/** Whether the wide module gives the plain one's bits, and sooner. */
function passes(plain: WebAssembly.Module, wide: WebAssembly.Module): boolean {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  fillOperands(memory)
  const functions = [plain, wide].map(module => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } })
    return (name: string): Kernel => {
      const found = exports[name]
      if (typeof found !== 'function') throw new Error(`broken invariant: the kernels export ${name}`)
      return (...args) => found(...args)
    }
  })
  functions[1]('useWideTiles')(1)
  const results = [0, 1].map(i => new Int32Array(memory.buffer, resultsAt + i * resultBytes, resultBytes / 4))
  for (const { entry, args } of selfTests()) {
    functions.forEach((kernels, i) => {
      results[i].fill(0)
      kernels(entry)(...args(resultsAt + i * resultBytes))
    })
    if (!results[0].every((bits, at) => bits === results[1][at])) return false
  }
  const [slow, fast] = functions.map((kernels, i) => bestMs(() => speedTest(kernels, resultsAt + i * resultBytes)))
  return slow >= leastGain * fast
}

/** Normals with what is awkward here and there: NaN, infinities, -0. */
function fillOperands(memory: WebAssembly.Memory): void {
  const random = prng(256)
  const operands = new Float32Array(memory.buffer, operandsAt, (resultsAt - operandsAt) / 4)
  for (let i = 0; i < operands.length; i++) operands[i] = random.normal()
  const awkward = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e-40]
  for (let i = 1000; i < operands.length; i += 4099) operands[i] = awkward[i % awkward.length]
}

interface SelfTest {
  entry: string
  args(resultAt: number): number[]
}

const [x, w, bias, residual] = [0, 1, 2, 3].map(i => operandsAt + i * 256 * 1024)
const [none, clip] = [
  [0, 0, 0],
  [2, -0.5, 6],
]

/** Every tile height (1 to 6 rows), whole, half and ragged panels, residuals, every written-out loop. */
function selfTests(): SelfTest[] {
  const tests: SelfTest[] = []
  for (const m of [1, 2, 3, 4, 5, 6, 13, 100]) {
    for (const n of [8, 16, 41]) {
      const args = (y: number) => [x, w, bias, y, scratchAt, 1, m, n, 37, 0, 1, 1, 0, 1, ...clip]
      tests.push({ entry: 'gemmPacked', args }, { entry: 'gemm', args })
      tests.push({ entry: 'matmul', args: y => [x, w, y, scratchAt, 1, 1, m, n, 33, 0, 0, 33, 1, 0, 0, n, 1] })
    }
  }
  const conv = (entry: string, sizes: readonly number[], groups: number, hasResidual: number, activation: number[]) => {
    const added = hasResidual ? residual : 0
    const args = (y: number) => [x, w, bias, added, y, scratchAt, ...sizes, groups, 1, hasResidual, ...activation]
    tests.push({ entry, args })
  }
  // batch, channels, height, width, filters, kernel h, w, out h, w, strides, pads, dilations
  conv('conv2dChannelsLast', [2, 12, 9, 7, 40, 3, 3, 9, 7, 1, 1, 1, 1, 1, 1], 1, 1, clip)
  conv('conv2dChannelsLast', [1, 20, 11, 11, 44, 3, 3, 6, 6, 2, 2, 1, 1, 1, 1], 2, 0, none)
  conv('conv2dChannelsLastFramed', [1, 3, 20, 21, 24, 7, 7, 10, 11, 2, 2, 3, 3, 1, 1], 1, 0, clip)
  conv('conv2dChannelsLastWinograd', [1, 16, 13, 10, 24, 3, 3, 13, 10, 1, 1, 1, 1, 1, 1], 1, 1, clip)
  for (const kernel of [3, 5, 7]) {
    for (const stride of [1, 2, 3]) {
      const out = Math.floor(16 / stride) + 1
      const [sizes, half] = [[2, 28, 17, 17, 28, kernel, kernel, out, out], kernel >> 1]
      conv('conv2dChannelsLastDepthwise', [...sizes, stride, stride, half, half, 1, 1], 28, 0, clip)
    }
  }
  for (const op of [8, 10, 11, 12, 13, 14, 15, 34]) {
    tests.push({ entry: 'unaryPairs', args: y => [x, y, scratchAt, 4205, op, 0.2, 0.5] })
  }
  for (const m of [1, 4, 13]) {
    for (const n of [8, 32, 41]) {
      for (const scaled of [0, 1]) {
        tests.push({
          entry: 'squaredDistance',
          args: y => [x, w, scaled ? residual : 0, y, scratchAt, m, n, 37, scaled],
        })
      }
    }
  }
  tests.push({ entry: 'ceiling', args: y => [x, y, 100, 1] })
  tests.push({ entry: 'softmaxLines', args: y => [x, y, scratchAt, 40, 197, 1, 0] })
  return tests
}

function speedTest(kernels: (name: string) => Kernel, y: number): void {
  kernels('gemmPacked')(x, w, bias, y, scratchAt, 1, 192, 128, 256, 0, 1, 1, 0, 1, ...none)
}

function bestMs(work: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 8; turn++) {
    const started = performance.now()
    work()
    best = Math.min(best, performance.now() - started)
  }
  return best
}
