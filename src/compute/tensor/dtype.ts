/** Element types: what a buffer on a device may hold, and what a constant of a model may hold before it is folded away. */

/** What kernels read and write. */
export type DType = 'float32' | 'uint8'

/** The arrays behind a device type on the host. */
export type KernelArray = Float32Array | Uint8Array

/**
 * What a kernel's reference reads and writes on the host: the arrays of a device, and doubles, in which integers are
 * exact while a network is prepared.
 */
export type HostArray = KernelArray | Float64Array

/** Bytes of one element. */
export const dtypeBytes: Readonly<Record<DType, number>> = { float32: 4, uint8: 1 }

export function dtypeOf(array: KernelArray): DType {
  return array instanceof Float32Array ? 'float32' : 'uint8'
}

/** A zeroed array of `elements` elements. */
export function makeArray(dtype: DType, elements: number): KernelArray {
  return dtype === 'float32' ? new Float32Array(elements) : new Uint8Array(elements)
}
