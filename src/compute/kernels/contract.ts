/**
 * What a kernel is, for every backend: its parameters in order, its operands, a scalar reference that defines
 * the result, and its cost. Backends implement it under the same name (`shaders/NAME.wgsl`, `assembly/NAME.ts`).
 *
 * Rules that hold for all kernels:
 * - Tensors are dense and row-major. Every kernel writes one float32 output and never reads it.
 * - A row's result does not depend on how many rows the batch has.
 * - Params are plain numbers. The order of the fields is the WGSL struct's and the WASM function's. Before them
 *   the WASM function takes the inputs' addresses in order (0 where absent), the output's and the scratch memory's.
 * - NaN passes through everything that is not stated otherwise; the sign of a zero is kept by `copy` alone.
 */
import type { HostArray } from '../tensor/dtype.ts'

export type ParamType = 'u32' | 'i32' | 'f32'

/** Field name -> type; the order of the keys is the order of the parameters. */
export type ParamFields = Readonly<Record<string, ParamType>>

export type ParamsOf<F extends ParamFields> = { readonly [K in keyof F]: number }

/** What one call does, for balancing, autotuning and benchmarks. */
export interface Cost {
  /** A multiply-add counts as two. */
  flops: number
  /** Read and written once each, as if caches were perfect. */
  bytes: number
}

export interface KernelContract<F extends ParamFields> {
  readonly fields: F
  /** Operands in order; `?` marks one that may be absent, which a param then says too. */
  readonly operands: readonly string[]
  /**
   * The definition: reads `inputs` (an absent operand is a zero-length array), writes all of `output` (`copy`:
   * the part that it names). Sums are accumulated in double precision and rounded once
   * (to a Float64Array, where integers are folded while a network is prepared, not at all).
   */
  reference(params: ParamsOf<F>, inputs: readonly HostArray[], output: Float32Array | Float64Array): void
  cost(params: ParamsOf<F>): Cost
}

/** Checks a contract's types at its definition. */
export function defineKernel<const F extends ParamFields>(contract: KernelContract<F>): KernelContract<F> {
  return contract
}
