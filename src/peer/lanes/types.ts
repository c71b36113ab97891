/** What passes through a compute lane, and what a lane says of itself. */
export interface OpenJob {
  workload: string
  body: unknown
  files: { name: string; bytes: Uint8Array }[]
}

/** A shard on its way to a lane. */
export interface LaneShard {
  /** Its blocks in order, already verified, or where to get them. They are not asked for if the lane keeps the shard. */
  blocks: Uint8Array[] | (() => Promise<Uint8Array[]>)
  /** Names it from round to round; absent: nothing of it is kept. */
  key?: string
}

export interface RanShard {
  bytes: Uint8Array
  items: number
  errors: number
  /** Since a lane took it or, later, was done with the one before. */
  elapsedMs: number
}

/** How a peer's WebGPU lane computes. */
export interface GpuOptions {
  precision: 'f32' | 'f16'
  /** Where it remembers which tiles were the fastest. */
  tilesFile?: string
}

export interface LaneFacts {
  backend: 'wasm' | 'webgpu'
  device: string
  numericClass: string
}
