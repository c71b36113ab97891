/**
 * What a user would write instead of a mesh: list the files, decode 64 at a time with sharp, run each network
 * with onnxruntime, take the mean. The same images, networks and preprocessing, in one process.
 */
import { readFile } from 'node:fs/promises'
import type * as ort from 'onnxruntime-web'
import sharp from 'sharp'
import { scaleAndBias } from '../src/data/images/apply.ts'
import { readModelFolder } from '../src/data/models/model-folder.ts'
import { listInputs } from '../src/data/readers/inputs.ts'

const batch = 64

export type Runtime = Pick<typeof ort, 'InferenceSession' | 'Tensor' | 'env'>

/** onnxruntime by its package's name, for `threads` threads; undefined where it is not installed. */
export async function loadRuntime(name: string, threads: number): Promise<Runtime | undefined> {
  try {
    const module = (await import(name)) as Runtime & { default?: Runtime }
    const runtime = module.InferenceSession ? module : module.default
    if (runtime && name === 'onnxruntime-web') runtime.env.wasm.numThreads = threads
    return runtime
  } catch {
    return undefined
  }
}

const decode = (files: string[], side: number) =>
  Promise.all(
    files.map(file =>
      sharp(file).removeAlpha().resize(side, side, { fit: 'fill' }).toColourspace('srgb').raw().toBuffer(),
    ),
  )

/** Images a second, the files' listing included, the sessions' creation not; undefined where `name` is not installed. */
export async function plainLoop(
  name: string,
  images: string,
  models: string[],
  threads: number,
): Promise<number | undefined> {
  const runtime = await loadRuntime(name, threads)
  if (!runtime) return undefined
  const networks = await Promise.all(
    models.map(async path => {
      const source = await readModelFolder(path)
      const session = await runtime.InferenceSession.create(await readFile(source.onnxPath), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
      })
      const resize = source.preprocess?.resize
      const side = resize && 'height' in resize ? resize.height : 32
      const { scale, bias } = scaleAndBias({ rescaleFactor: 1, ...source.preprocess, channels: 3 })
      return { session, side, scale, bias }
    }),
  )

  const startMs = performance.now()
  let rows = 0
  let files: string[] = []
  const flush = async () => {
    const decoded = new Map<number, Buffer[]>()
    for (const { session, side, scale, bias } of networks) {
      // Networks of one size share the decoding, as anyone would write it.
      const pixels = decoded.get(side) ?? (await decode(files, side))
      decoded.set(side, pixels)
      const area = side * side
      const input = new Float32Array(files.length * 3 * area)
      pixels.forEach((image, n) => {
        for (let c = 0; c < 3; c++) {
          for (let i = 0; i < area; i++) input[(n * 3 + c) * area + i] = image[i * 3 + c] * scale[c] + bias[c]
        }
      })
      const feeds = { [session.inputNames[0]]: new runtime.Tensor('float32', input, [files.length, 3, side, side]) }
      await session.run(feeds)
    }
    rows += files.length
    files = []
  }
  for await (const { file } of listInputs([images])) {
    files.push(file)
    if (files.length === batch) await flush()
  }
  if (files.length > 0) await flush()
  const rate = (rows / (performance.now() - startMs)) * 1000
  await Promise.all(networks.map(({ session }) => session.release()))
  return rate
}
