/** TreeEnsembleRegressor and TreeEnsembleClassifier in all their modes and special cases, against onnxruntime-web. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Prng, prng } from '../../../src/base/prng.ts'
import type { Backend } from '../../../src/compute/backends/types.ts'
import { createWasmBackend } from '../../../src/compute/backends/wasm/backend.ts'
import { loadModel } from '../../../src/compute/engine/model.ts'
import { openSession } from '../../../src/compute/engine/session.ts'
import { expectAsOnnxruntime } from './against-onnxruntime.ts'
import { type AttributeInit, makeModel } from './make-model.ts'
import { branchModes, meeting, type TreesInit, treeAttributes } from './make-trees.ts'

const features = 5

function treeModel(type: string, attributes: Record<string, AttributeInit>, outputs: Record<string, number>) {
  return makeModel({
    opset: 13,
    domains: { 'ai.onnx.ml': 3 },
    inputs: { x: ['N', features] },
    types: outputs,
    outputs: Object.keys(outputs),
    ops: [{ type, domain: 'ai.onnx.ml', name: 'trees', inputs: ['x'], outputs: Object.keys(outputs), attributes }],
  })
}

/** Values that meet thresholds, and NaN where asked for. */
function rows(random: Prng, count: number, nan: boolean) {
  const data = Float32Array.from({ length: count * features }, () =>
    nan && !random.int(5) ? Number.NaN : random.int(3) ? random.pick(meeting) : random.normal(),
  )
  return { type: 'float32', dims: [count, features], data } as const
}

let backend: Backend
beforeAll(async () => {
  backend = await createWasmBackend()
})

const forest = { trees: 7, depth: 4, features }

describe('TreeEnsembleRegressor', () => {
  const regressor = (attributes: Record<string, AttributeInit>) =>
    treeModel('TreeEnsembleRegressor', attributes, { y: 1 })
  const grow = (seed: number, init: Partial<TreesInit> = {}) =>
    treeAttributes(prng(seed), { prefix: 'target', ...forest, ids: [0], ...init })

  test.each(
    branchModes.flatMap((mode, i) => [false, true].map((missing): [string, boolean, number] => [mode, missing, i])),
  )('%s, missing values tracked: %s', async (mode, missing, seed) => {
    const bytes = regressor({ n_targets: 1, ...grow(seed, { modes: [mode], missing }) })
    await expectAsOnnxruntime(backend, bytes, { x: rows(prng(seed), 40, true) })
  })

  test.each(['SUM', 'AVERAGE', 'MIN', 'MAX'].flatMap(way => [1, 3].map((n): [string, number] => [way, n])))(
    '%s of %s targets, with and without base values',
    async (aggregate_function, n_targets) => {
      const ids = Array.from({ length: n_targets }, (_, i) => i)
      for (const [seed, base] of [[], ids.map(id => id - 0.75)].entries()) {
        const trees = grow(seed, { ids, missing: true })
        const bytes = regressor({ n_targets, aggregate_function, base_values: { floats: base }, ...trees })
        await expectAsOnnxruntime(backend, bytes, { x: rows(prng(seed), 33, true) })
      }
    },
  )

  test.each(['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'])('post_transform %s', async post_transform => {
    for (const n_targets of [1, 2, 4]) {
      const ids = Array.from({ length: n_targets }, (_, i) => i)
      // PROBIT takes probabilities: all trees together stay within (0, 1).
      const random = prng(9)
      const weight = post_transform === 'PROBIT' ? () => (0.05 + 0.9 * random.next()) / 7 : undefined
      const trees = grow(n_targets, { ids, entries: 'all', weight })
      const bytes = regressor({ n_targets, post_transform, ...trees })
      await expectAsOnnxruntime(backend, bytes, { x: rows(prng(3), 20, false) }, { tolerance: 1e-4 })
    }
  })

  test('a leaf alone is a tree, and a vector is a row', async () => {
    const bytes = regressor({ n_targets: 1, ...grow(1, { depth: 0, trees: 3 }) })
    await expectAsOnnxruntime(backend, bytes, { x: rows(prng(3), 9, false) })
  })

  test('thresholds of float64 beside values of float32', async () => {
    // Just above, at and just below what float32 holds.
    const thresholds = meeting.flatMap(value => [value, value + 2 ** -40, value - 2 ** -40])
    const bytes = makeModel({
      opset: 13,
      domains: { 'ai.onnx.ml': 3 },
      inputs: { x: ['N', features] },
      types: { x: 11 },
      outputs: ['y'],
      ops: [
        {
          ...{ type: 'TreeEnsembleRegressor', domain: 'ai.onnx.ml', inputs: ['x'], outputs: ['y'] },
          attributes: { n_targets: 1, ...grow(6, { thresholds, doubles: true, missing: true, trees: 30 }) },
        },
      ],
    })
    const { data, dims } = rows(prng(6), 60, true)
    await expectAsOnnxruntime(backend, bytes, { x: { type: 'float64', dims, data: Float64Array.from(data) } })
  })

  test('deep trees and many rows', async () => {
    const bytes = regressor({ n_targets: 1, ...grow(4, { depth: 11, trees: 30, missing: true }) })
    await expectAsOnnxruntime(backend, bytes, { x: rows(prng(5), 700, true) })
  })

  test('a row has the same bits in every batch', async () => {
    const model = loadModel(regressor({ n_targets: 2, ...grow(4, { depth: 6, trees: 30, ids: [0, 1] }) }))
    const session = openSession(backend, model)
    const x = rows(prng(5), 50, true)
    const whole = (await session.run({ x })).y.data
    for (const [first, count] of [
      [0, 1],
      [7, 8],
      [8, 17],
      [41, 9],
    ]) {
      const part = { ...x, dims: [count, features], data: x.data.slice(first * features, (first + count) * features) }
      expect((await session.run({ x: part })).y.data).toEqual(whole.slice(first * 2, (first + count) * 2))
    }
    session.dispose()
  })
})

/** Attributes of TreeEnsemble, opset 5: a forest whose leaves hold one weight each. */
function rootedTrees(random: Prng, trees: number, depth: number, targets: number): Record<string, AttributeInit> {
  const node = { features: [], yes: [], no: [], yesLeaf: [], noLeaf: [], missing: [] } as Record<string, number[]>
  const [modes, splits, ids, weights, roots]: number[][] = [[], [], [], [], []]
  const grow = (left: number): number => {
    const at = modes.push(random.int(6)) - 1
    splits.push(random.pick(meeting))
    node.features.push(random.int(features))
    node.missing.push(random.int(2))
    for (const side of ['yes', 'no']) {
      const leaf = left === 0 || random.int(4) === 0
      node[`${side}Leaf`][at] = Number(leaf)
      // What is grown first takes a place of its own before this one is written.
      const place = leaf ? ids.push(random.int(targets)) - 1 : grow(left - 1)
      node[side][at] = place
      if (leaf) weights.push(random.normal())
    }
    return at
  }
  for (let tree = 0; tree < trees; tree++) roots.push(grow(depth))
  return {
    ...{ n_targets: targets, tree_roots: roots, nodes_featureids: node.features, leaf_targetids: ids },
    nodes_modes: { tensor: { dims: [modes.length], data: Uint8Array.from(modes) } },
    nodes_splits: { tensor: { dims: [splits.length], data: Float32Array.from(splits) } },
    ...{ nodes_truenodeids: node.yes, nodes_falsenodeids: node.no, nodes_missing_value_tracks_true: node.missing },
    ...{ nodes_trueleafs: node.yesLeaf, nodes_falseleafs: node.noLeaf },
    leaf_weights: { tensor: { dims: [weights.length], data: Float32Array.from(weights) } },
  }
}

describe('TreeEnsemble', () => {
  const ensemble = (attributes: Record<string, AttributeInit>) =>
    makeModel({
      ...{ opset: 21, domains: { 'ai.onnx.ml': 5 }, inputs: { x: ['N', features] }, outputs: ['y'] },
      ops: [{ type: 'TreeEnsemble', domain: 'ai.onnx.ml', name: 'trees', inputs: ['x'], outputs: ['y'], attributes }],
    })

  test.each([0, 1, 2, 3])('aggregate_function %s, and every transform', async aggregate_function => {
    for (const post_transform of [0, 1, 2, 3]) {
      const random = prng(aggregate_function * 4 + post_transform)
      const bytes = ensemble({ aggregate_function, post_transform, ...rootedTrees(random, 6, 4, 3) })
      await expectAsOnnxruntime(backend, bytes, { x: rows(random, 40, true) })
    }
  })

  test('a place that is not there, and a branch by membership, are refused by name', async () => {
    const open = async (changes: Record<string, AttributeInit>) => {
      const bytes = ensemble({ ...rootedTrees(prng(1), 2, 0, 1), ...changes })
      await openSession(backend, loadModel(bytes)).run({ x: rows(prng(1), 2, false) })
    }
    await expect(open({ tree_roots: [7] })).rejects.toThrow(/TreeEnsemble "trees".*roots within/)
    await expect(open({ nodes_truenodeids: [99, 1] })).rejects.toThrow(/leads to node 99/)
    const member = { tensor: { dims: [2], data: Uint8Array.of(6, 6) } }
    await expect(open({ nodes_modes: member })).rejects.toThrow(/by membership/)
  })
})

describe('TreeEnsembleClassifier', () => {
  const classifier = (attributes: Record<string, AttributeInit>, label = 7) =>
    treeModel('TreeEnsembleClassifier', attributes, { label, scores: 1 })
  const grow = (seed: number, init: Partial<TreesInit>) =>
    treeAttributes(prng(seed), { prefix: 'class', ...forest, ids: [0], missing: true, ...init })

  const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO']
  const integers = { classlabels_int64s: [3, -7, 100, 2] }
  const strings = { classlabels_strings: { strings: ['setosa', 'versicolor', 'virginica', 'ø'] } }

  for (const post_transform of transforms) {
    test.each(['all', 'one', 'of-tree'] as const)(`four classes, ${post_transform}, entries: %s`, async entries => {
      for (const [seed, base] of [[], [0.5, -2, 0.25, 1]].entries()) {
        const trees = grow(seed, { ids: [0, 1, 2, 3], entries })
        const own = { post_transform, base_values: { floats: base }, ...trees }
        const x = rows(prng(seed), 40, true)
        await expectAsOnnxruntime(backend, classifier({ ...integers, ...own }), { x })
        await expectAsOnnxruntime(backend, classifier({ ...strings, ...own }, 8), { x })
      }
    })
  }

  test('a class without a score never wins, however low the others', async () => {
    for (const entries of ['one', 'of-tree'] as const) {
      const weight = () => -1 - prng(1).next()
      const trees = grow(2, { ids: [1, 3], entries, weight, trees: 2 })
      await expectAsOnnxruntime(backend, classifier({ ...integers, ...trees }), { x: rows(prng(8), 40, true) })
    }
  })

  const binaryLabels: [string, Record<string, AttributeInit>, number][] = [
    ['integers', { classlabels_int64s: [0, 1] }, 7],
    ['other integers', { classlabels_int64s: [-4, 9] }, 7],
    ['strings', { classlabels_strings: { strings: ['no', 'yes'] } }, 8],
  ]
  const bases = [[], [0.375], [0.25, -0.5]]
  for (const [kind, labels, type] of binaryLabels) {
    for (const post_transform of transforms) {
      test.each([
        ['the first class alone', [0], 'one'],
        ['the second class alone', [1], 'one'],
        ['both in each leaf', [0, 1], 'all'],
        ['one or the other', [0, 1], 'one'],
      ] as const)(`two classes of ${kind}, ${post_transform}, weights for %s`, async (_, ids, entries) => {
        for (const [seed, floats] of bases.entries()) {
          const random = prng(seed)
          for (const weight of [() => random.normal(), () => random.next() / 5]) {
            // Two outputs from one score, without a rule for the second: onnxruntime leaves it unwritten.
            if (floats.length === 1 && entries === 'one' && ids.length === 2) continue
            const trees = grow(seed, { ids, entries, weight })
            const bytes = classifier({ ...labels, post_transform, base_values: { floats }, ...trees }, type)
            await expectAsOnnxruntime(backend, bytes, { x: rows(random, 40, true) })
          }
        }
      })
    }
  }

  test('one class', async () => {
    const bytes = classifier({ classlabels_int64s: [5], ...grow(1, {}) })
    await expectAsOnnxruntime(backend, bytes, { x: rows(prng(8), 40, true) })
  })
})

describe('models that are wrong are refused with the name of their node', () => {
  const good = () => treeAttributes(prng(1), { prefix: 'target', ...forest, ids: [0], modes: ['BRANCH_LEQ'] })
  const open = async (changes: Record<string, AttributeInit>) => {
    const bytes = treeModel('TreeEnsembleRegressor', { n_targets: 1, ...good(), ...changes }, { y: 1 })
    await openSession(backend, loadModel(bytes)).run({ x: rows(prng(1), 2, false) })
  }
  const list = (name: string): number[] => {
    const value = good()[name]
    return Array.isArray(value) ? [...value] : []
  }

  test.each<[string, RegExp, () => Record<string, AttributeInit>]>([
    [
      'a child that is not there',
      /leads to node 999/,
      () => ({ nodes_truenodeids: list('nodes_truenodeids').fill(999) }),
    ],
    ['a child that is its own parent', /twice/, () => ({ nodes_truenodeids: list('nodes_truenodeids').fill(0) })],
    [
      'a feature beyond the input',
      /features for its trees/,
      () => ({ nodes_featureids: list('nodes_featureids').fill(5) }),
    ],
    ['a negative feature', /has the feature -1/, () => ({ nodes_featureids: list('nodes_featureids').fill(-1) })],
    ['a target beyond the last', /targets within/, () => ({ target_ids: list('target_ids').fill(1) })],
    ['a negative target', /targets within/, () => ({ target_ids: list('target_ids').fill(-1) })],
    [
      'a weight for a node that is not there',
      /weight for node 999/,
      () => ({ target_nodeids: list('target_nodeids').fill(999) }),
    ],
    ['lists of unequal lengths', /as many of each/, () => ({ nodes_featureids: [0] })],
    ['a node twice', /lists a node twice/, () => ({ nodes_nodeids: list('nodes_nodeids').fill(0) })],
    [
      'a mode that is none',
      /mode "BRANCH_MAYBE"/,
      () => ({
        nodes_modes: { strings: list('nodes_nodeids').map((_, i) => (i === 0 ? 'BRANCH_MAYBE' : 'LEAF')) },
      }),
    ],
    ['an unknown transform', /post_transform "ODD"/, () => ({ post_transform: 'ODD' })],
  ])('%s', async (_, message, changes) => {
    await expect(open(changes())).rejects.toThrow(message)
    await expect(open(changes())).rejects.toThrow(/TreeEnsembleRegressor "trees"/)
  })
})
