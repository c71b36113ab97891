/** What the peers are working on while things go wrong: pictures drawn for the purpose, and small networks. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../src/base/package-root.ts'
import { drawSamples } from '../../../src/cli/demo/draw.ts'
import type { ClassifyRequest } from '../../../src/peer/control.ts'

export interface ChaosWork {
  readonly name: WorkName
  readonly items: number
  readonly request: ClassifyRequest
}

export type WorkName = 'images' | 'tiny'
export const workNames: WorkName[] = ['images', 'tiny']

export interface Pictures {
  folder: string
  work(name: WorkName): ChaosWork
  remove(): Promise<void>
}

const model = (name: string) => join(packageRoot, 'demo/models', name)

/** `images`: an ensemble of two networks, 64 pictures a shard. `tiny`: one network, a quarter of the pictures, one a shard. */
export async function drawPictures(items: number): Promise<Pictures> {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-chaos-pictures-'))
  await drawSamples(join(folder, 'all'), { count: items, seed: 11 })
  const few = Math.max(1, Math.floor(items / 4))
  await drawSamples(join(folder, 'few'), { count: few, seed: 11 })
  const base = { workload: 'classify', cwd: folder, merge: 'mean', top: 1 } as const
  return {
    folder,
    work: name =>
      name === 'images'
        ? {
            name,
            items,
            request: { ...base, inputs: ['all'], models: [model('shapes-plain'), model('shapes-residual')] },
          }
        : {
            name,
            items: few,
            request: { ...base, inputs: ['few'], models: [model('shapes-plain')], itemsPerShard: 1 },
          },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
