/**
 * The epilogue that conv2d, gemm, affine and binary share: what happens to a value just before it is stored.
 * relu(x) = max(x, 0), clip(x) = min(max(x, clipMin), clipMax); NaN stays NaN in both.
 */

/** The values of the param `activation`. */
export const activations = { none: 0, relu: 1, clip: 2 } as const

export type ActivationName = keyof typeof activations

/** The three fields in the order in which every kernel that has an epilogue ends its parameters. */
export const activationFields = {
  /** 0 none, 1 relu, 2 clip. */
  activation: 'u32',
  clipMin: 'f32',
  clipMax: 'f32',
} as const

export interface ActivationParams {
  readonly activation: number
  readonly clipMin: number
  readonly clipMax: number
}

export const noActivation: ActivationParams = { activation: activations.none, clipMin: 0, clipMax: 0 }

export function activate(params: ActivationParams, x: number): number {
  // Comparisons are false for NaN, so it falls through.
  if (params.activation === activations.relu) return Math.max(x, 0)
  if (params.activation === activations.clip) {
    const low = Math.max(x, params.clipMin)
    return Math.min(low, params.clipMax)
  }
  return x
}
