/**
 * The references of scikit-learn and scikit-image, by one, two and three real peers over their connections: the figures within the
 * tolerances of test/learn/references.ts by one of them, and after some rounds the same bits however many there are. A sum that
 * differs in any round changes the bits of all that follow. What the peers' parameters are beyond that follows from the bits: one
 * process learns the same.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TrainInit } from '../../src/learn/options.ts'
import type { Control, JobRequest } from '../../src/peer/control.ts'
import { type Peer, type PeerInit, startPeer } from '../../src/peer/peer.ts'
import { haveWebGpu } from '../compute/webgpu.ts'
import { until } from '../e2e/mesh-of-processes.ts'
import { runFeatures } from '../learn/ort.ts'
import {
  crops,
  digits,
  drawnPictures,
  gmmReference,
  hogReference,
  kmeansReference,
  pcaReference,
  plain,
  reference,
  softmaxReference,
  svmReference,
} from '../learn/reference-data.ts'
import { expectAccuracies, hingeObjective, perDigit, trainRows } from '../learn/references.ts'
import { all, end } from './some-peers.ts'

const webgpu = await haveWebGpu('3 tests: learning by peers on WebGPU')

interface Learnt {
  objective: number
  rows: number
  rounds: number
  file: Buffer
  /** Peers that computed. */
  workers: string[]
}

interface Case {
  name: string
  rows: readonly (readonly number[])[]
  classes?: readonly string[]
  options: TrainInit
  check(learnt: Learnt): Promise<void>
}

const digitClasses = Array.from({ length: 10 }, (_, digit) => String(digit))

function cases(): Case[] {
  const { features, classes } = digits()
  const known = { rows: features.slice(0, trainRows), classes: classes.slice(0, trainRows) }
  const labelsOf = async ({ file }: Learnt) => (await runFeatures(file, features, digitClasses)).label
  const kmeans: Case = {
    name: 'k-means',
    rows: features,
    options: { method: 'kmeans', k: 10, divide: perDigit, init: features.slice(0, 10), tolerance: 0 },
    async check(learnt) {
      const want = reference('kmeans-digits', kmeansReference)
      expect(Math.abs(learnt.objective / want.inertia - 1)).toBeLessThan(1e-6)
      expect(await labelsOf(learnt)).toEqual(want.labels)
    },
  }
  const softmax = ['1.0', '0.01'].map((c): Case => {
    const want = reference(`softmax-digits-C${c}`, softmaxReference)
    return {
      name: `softmax, C ${c}`,
      ...known,
      options: { method: 'softmax', c: want.C, divide: perDigit, tolerance: 1e-7 },
      async check(learnt) {
        expect(Math.abs(learnt.objective / want.objective - 1)).toBeLessThan(1e-5)
        expectAccuracies(await labelsOf(learnt), classes, want)
      },
    }
  })
  const wantSvm = reference('linear-svm-digits', svmReference)
  const svm: Case = {
    name: 'support vector machines',
    ...known,
    options: { method: 'svm', c: wantSvm.C, divide: perDigit, tolerance: 1e-7 },
    async check(learnt) {
      const optimum = hingeObjective(wantSvm, { rows: known.rows, classes: known.classes })
      expect(Math.abs(learnt.objective / optimum - 1)).toBeLessThan(1e-5)
      expectAccuracies(await labelsOf(learnt), classes, wantSvm)
    },
  }
  const pca = (['covariance', 'randomised'] as const).map(
    (solver): Case => ({
      name: `components, ${solver}`,
      rows: features,
      options: { method: 'pca', components: 16, solver, divide: perDigit },
      async check({ file }) {
        const want = reference('pca-digits', pcaReference)
        const outputs = Object.values(await runFeatures(file, features))[0]
        want.components.forEach((direction, c) => {
          const exact = features.map(row =>
            row.reduce((sum, x, i) => sum + (x / perDigit - want.mean[i]) * direction[i], 0),
          )
          const got = features.map((_, row) => outputs[row * want.components.length + c])
          const sign = Math.sign(exact.reduce((sum, value, row) => sum + value * got[row], 0))
          // Directions to 1e-4, on rows no longer than 8.
          expect(Math.max(...exact.map((value, row) => Math.abs(value - sign * got[row])))).toBeLessThan(8e-4)
        })
      },
    }),
  )
  const mixtures = ['iris-full', 'iris-diag', 'iris-tied', 'iris-spherical', 'wine-full', 'digits-diag'].map(mixture)
  return [kmeans, ...mixtures, ...softmax, svm, ...pca]
}

function mixture(name: string): Case {
  const want = reference(`gmm-${name}`, gmmReference)
  const wine = name.startsWith('wine')
  const { features } = name.startsWith('digits') ? digits() : plain(wine ? 'wine_data' : 'iris')
  const places = Array.from({ length: want.k }, (_, i) => Math.trunc((i * (features.length - 1)) / (want.k - 1)))
  return {
    name: `a mixture, ${name}`,
    rows: features,
    options: {
      ...{ method: 'gmm', k: want.k, covariance: want.covariance, regCovar: want.reg_covar },
      ...{ tolerance: 1e-9, roundsMax: 500, init: places.map(place => features[place]) },
      ...(wine && { standardise: 'standard' as const }),
      ...(name.startsWith('digits') && { divide: perDigit }),
    },
    async check({ objective, file }) {
      expect(Math.abs(objective / want.mean_log_likelihood - 1)).toBeLessThan(1e-4)
      const { label, probabilities } = await runFeatures(file, features)
      expect(label).toEqual(want.labels)
      const off = want.first_rows_responsibilities.flat().map((value, i) => Math.abs(value - probabilities[i]))
      expect(Math.max(...off)).toBeLessThan(1e-4)
    },
  }
}

/** More than L-BFGS remembers; the small tables are learnt to the end within it. */
const someRounds = 30

function requestOf({ name, rows, classes, options }: Case, folder: string, roundsMax?: number): JobRequest {
  const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.csv`)
  writeFileSync(file, rows.map((row, i) => [...row, ...(classes ? [classes[i]] : [])].join()).join('\n'))
  // Three shards of every table, so that each of three peers may have one.
  const table = { header: 'no' as const, rowsPerShard: Math.ceil(rows.length / 3), ...(classes && { label: '-1' }) }
  const bounded = roundsMax === undefined || options.method === 'pca' ? options : { ...options, roundsMax }
  return { workload: 'train', inputs: [file], cwd: folder, options: bounded, table }
}

/** All at once: their rounds take turns on the peers. */
async function learn(control: Control, requests: readonly JobRequest[], backend: string): Promise<Learnt[]> {
  const jobs = await Promise.all(requests.map(request => control.submit(request)))
  return Promise.all(
    jobs.map(async ({ job }) => {
      const ended = await end(control, job)
      const [model, ...parts] = await all(control.results(job))
      if (model?.type !== 'model') throw new Error(`the training ended as ${ended.phase}`)
      const file = Buffer.concat(parts.flatMap(part => (part.type === 'bytes' ? [part.bytes] : [])))
      const workers = ended.shares.filter(share => share.itemsDone > 0).map(share => share.name)
      const { objective, rows, rounds } = model
      // Of another class than the peers were asked for: a lane fell back to the CPU.
      expect(model.numericClasses.map(one => one.split('/')[0])).toEqual([backend])
      return { objective: objective.value ?? Number.NaN, rows, rounds, file, workers }
    }),
  )
}

/** The crops that the reference describes, and a plain picture, as files of a folder. */
async function cropPictures(folder: string): Promise<void> {
  await mkdir(folder)
  for (const [i, { left, top }] of crops.entries()) {
    await sharp(drawnPictures)
      .extract({ left, top, width: 128, height: 128 })
      .png()
      .toFile(join(folder, `${i}.png`))
  }
  await sharp({ create: { width: 128, height: 128, channels: 3, background: 'teal' } }).toFile(
    join(folder, 'plain.png'),
  )
}

/** Gradients of each file in order, one shard a file. */
async function describePictures(control: Control, folder: string): Promise<Float32Array[]> {
  const features = { kind: 'hog', height: 128, width: 128 }
  const { job } = await control.submit({
    workload: 'features',
    inputs: [folder],
    cwd: folder,
    features,
    itemsPerShard: 1,
  })
  await end(control, job)
  const found = (await all(control.results(job))).flatMap(item => (item.type === 'rows' ? [item.rows] : []))
  return found.flatMap(({ rows, numbers }) => {
    const count = numbers.length / rows
    return Array.from({ length: rows }, (_, row) => numbers.slice(row * count, (row + 1) * count))
  })
}

describe('peers learn what scikit-learn does', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'shardmesh-references-'))
  const running: Peer[] = []
  /** One more peer, of the first one's mesh. */
  async function add(name: string, init: Partial<PeerInit> = {}): Promise<void> {
    const base = { data: join(folder, name), name, mdns: false, backend: 'wasm' as const, workers: 1 }
    const token = running.length > 0 ? (await running[0].info()).token : undefined
    const onWarning = (message: string) => console.warn(`${name}: ${message}`)
    running.push(await startPeer({ ...base, listen: ['/ip4/127.0.0.1/tcp/0'], join: token, onWarning, ...init }))
    const knowAll = async () => {
      for (const peer of running)
        if ((await peer.peers()).filter(one => one.connected).length < running.length) return false
      return true
    }
    await until(knowAll, 'every peer knows every other')
  }
  const stopAll = async () => {
    for (const peer of running.splice(0).reverse()) await peer.stop()
  }
  afterAll(async () => {
    await stopAll()
    rmSync(folder, { recursive: true, force: true })
  })

  describe.each([
    ['WebAssembly', { backend: 'wasm', workers: 1 }],
    ['WebGPU', { backend: 'webgpu', workers: 0 }],
  ] as const)('on %s', (backend, lanes) => {
    const absent = backend === 'WebGPU' && !webgpu
    let all: Case[]
    let alone: Learnt[]
    let described: Float32Array[]
    const pictures = join(folder, `pictures for ${backend}`)
    beforeAll(async () => {
      all = cases()
      await cropPictures(pictures)
    })
    afterAll(stopAll)
    const learnThese = (requests: readonly JobRequest[]) => learn(running[running.length - 1], requests, lanes.backend)
    const requests = () => all.map((one, i) => requestOf(one, folder, tooLong[i] ? someRounds : undefined))
    let tooLong: boolean[] = []

    test.skipIf(absent)('one peer: the figures', async () => {
      await add(`one on ${backend}`, lanes)
      alone = await learnThese(requests())
      for (const [i, one] of all.entries()) {
        expect(alone[i].rows, one.name).toBe(one.rows.length)
        await one.check(alone[i])
      }
      tooLong = alone.map(({ rounds }) => rounds > someRounds)
      const short = await learnThese(requests().filter((_, i) => tooLong[i]))
      alone = alone.map((learnt, i) => (tooLong[i] ? (short.shift() as Learnt) : learnt))
      described = await describePictures(running[0], pictures)
      const { descriptors } = reference('hog', hogReference)
      for (const [i, { name }] of crops.entries()) {
        const off = descriptors[name].map((value, at) => Math.abs(value - described[i][at]))
        expect(off).toHaveLength(described[i].length)
        expect(Math.max(...off), name).toBeLessThan(1e-4)
      }
    })

    test.skipIf(absent).each(['two', 'three'])('%s peers: the same bits', async name => {
      await add(`${name} on ${backend}`, lanes)
      const together = await learnThese(requests())
      all.forEach((one, i) => {
        expect([together[i].rounds, together[i].objective], one.name).toEqual([alone[i].rounds, alone[i].objective])
        expect(together[i].file.equals(alone[i].file), one.name).toBe(true)
      })
      expect(await describePictures(running[0], pictures)).toEqual(described)
      // Each had its part in it; of those that compile shaders the last may find nothing left to do on a busy machine.
      const least = backend === 'WebGPU' ? 2 : running.length
      expect(new Set(together.flatMap(({ workers }) => workers)).size).toBeGreaterThanOrEqual(least)
    })
  })
})
