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
  /** Draws what is missing of `items` pictures. */
  work(name: WorkName, items: number): Promise<ChaosWork>
  remove(): Promise<void>
}

const model = (name: string) => join(packageRoot, 'demo/models', name)

/** `images`: an ensemble of two networks, 64 pictures a shard. `tiny`: one network, a picture a shard. */
export async function openPictures(): Promise<Pictures> {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-chaos-pictures-'))
  const base = { workload: 'classify', cwd: folder, merge: 'mean', top: 1 } as const
  return {
    folder,
    async work(name, items) {
      const inputs = [`${name}-${items}`]
      await drawSamples(join(folder, inputs[0]), { count: items, seed: 11 })
      if (name === 'images') {
        const models = [model('shapes-plain'), model('shapes-residual')]
        return { name, items, request: { ...base, inputs, models } }
      }
      return { name, items, request: { ...base, inputs, models: [model('shapes-plain')], itemsPerShard: 1 } }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
