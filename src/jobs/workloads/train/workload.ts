/** Training as a workload of rounds: the methods of src/learn on the shards of a table, and a model's file at the end. */
import { createHash } from 'node:crypto'
import { assert, PeerError } from '../../../base/errors.ts'
import type { Backend } from '../../../compute/backends/types.ts'
import { loadModel } from '../../../compute/engine/model.ts'
import { openSession, type Session } from '../../../compute/engine/session.ts'
import { toHost } from '../../../compute/tensor/element-type.ts'
import { writeBlocks } from '../../../data/store/block-list.ts'
import type { TableShard } from '../../../data/tables/types.ts'
import { openEngine } from '../../../learn/device/engine.ts'
import { type HeldOut, judged } from '../../../learn/export/held-out.ts'
import { makeModelCard } from '../../../learn/export/model-card.ts'
import { exportOnnx } from '../../../learn/export/onnx.ts'
import type { ImageFeatures } from '../../../learn/features/features.ts'
import { splitRows } from '../../../learn/holdout.ts'
import { createTraining, type Parameters, type Training } from '../../../learn/training.ts'
import type { EmbedSpec } from '../embed/spec.ts'
import { type IterativeMethod, type PartialRunner, roundsWorkload } from '../rounds.ts'
import type { KeepRoom, Workload } from '../workload.ts'
import { createKeptShards } from './kept-shards.ts'
import { encodeModelRoot } from './result.ts'
import { parseTrainSpec, type TrainSpec } from './spec.ts'
import {
  classesOf,
  decodePartial,
  decodeState,
  encodePartial,
  encodeState,
  type TrainPartial,
  type TrainState,
} from './state.ts'

interface Body extends TrainSpec {
  training: Training
}

const networkFile = 'network'

const training: IterativeMethod<Body, TrainState, TrainPartial> = {
  kind: 'train',
  body(raw) {
    const spec = parseTrainSpec(raw)
    return { ...spec, training: createTraining(spec.options, spec.columns) }
  },
  files: ({ network }) => (network ? [{ name: networkFile, ...network.file, atEnd: true }] : []),
  open: async (body, _, backend, room) => openTrainer(body, backend, room),
  start({ training, checkpoint }) {
    if (checkpoint) return decodeState(training, checkpoint)
    return { stage: 'learn', parameters: training.start(), history: [], dataHash: '', numericClasses: [] }
  },
  merge({ training }, left, right) {
    const numericClasses = union(left.numericClasses, right.numericClasses)
    const joined = { stage: left.stage, hashes: [...left.hashes, ...right.hashes], numericClasses }
    if (left.stage === 'judge') {
      const other = right.confusion
      return { ...joined, confusion: left.confusion?.map((count, i) => count + (other?.[i] ?? 0)) }
    }
    assert(left.sum && right.sum, 'a shard adds a sum')
    return { ...joined, sum: training.merge(left.sum, right.sum) }
  },
  update({ training }, state, merged) {
    const numericClasses = union(state.numericClasses, merged.numericClasses)
    const dataHash = hashOfData(state, merged)
    if (state.stage === 'judge')
      return { parameters: { ...state, numericClasses, confusion: merged.confusion }, done: true }
    assert(merged.sum, 'a shard adds a sum')
    const parameters = training.update(state.parameters, merged.sum)
    const objective = parameters.stage === 'rounds' ? parameters.objective : Number.NaN
    const history = Number.isFinite(objective) ? [...state.history, objective] : state.history
    const learnt = parameters.stage === 'rounds' && parameters.done
    const judged = learnt && judges(training, parameters)
    const stage = judged ? 'judge' : 'learn'
    return { parameters: { stage, parameters, history, dataHash, numericClasses }, done: learnt && !judged }
  },
  async result(body, state, sink, file) {
    const { network } = body
    if (network) assert(file, 'whoever ends a training on a network can read its file')
    const behind = network && file ? { spec: network, file: await file(networkFile) } : body.images
    const heldOut = heldOutOf(body, state)
    const { onnx, card, summary } = finish(body.training, state, behind, heldOut)
    const { bytes, blocks } = await writeBlocks(sink, onnx)
    const { names = [] } = summary.label.kind === 'class' ? summary.label : {}
    return sink.put(
      encodeModelRoot({
        method: body.options.method,
        bytes,
        parts: blocks,
        card: JSON.stringify(card),
        rows: summary.rows,
        rounds: card.rounds,
        objective: { ...body.training.objective, value: card.objective.value },
        history: state.history,
        ...(state.confusion && { confusion: { names: [...names], counts: [...state.confusion.subarray(0, -1)] } }),
        ...(heldOut && { heldOut: { share: heldOut.share, rows: heldOut.rows, unknown: heldOut.unknown } }),
        numericClasses: state.numericClasses,
      }),
    )
  },
  encodeParameters: ({ training }, state) => encodeState(training, state),
  decodeParameters: ({ training }, block) => decodeState(training, block),
  encodePartial: ({ training }, partial) => encodePartial(training, partial),
  decodePartial: ({ training }, block, state) => decodePartial(training, block, state),
}

export const train: Workload = roundsWorkload(training)

/** Of the data that is learnt from, which the job's first round hashes. @throws PeerError LEARN_CHECKPOINT */
function hashOfData({ dataHash }: TrainState, { hashes }: TrainPartial): string {
  if (hashes.length === 0) return dataHash
  const hash = createHash('sha256').update(hashes.join('\n')).digest('hex')
  if (dataHash === '' || dataHash === hash) return hash
  throw new PeerError({
    code: 'LEARN_CHECKPOINT',
    kind: 'input',
    message: 'the checkpoint is of other data, or of the same in other shards: give the same inputs, or begin anew',
  })
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].sort()

/** Nobody reads a confusion matrix of more classes. */
const judgedClassesMax = 256

/** Whether the model is a classifier, of which rows can be counted as right. */
function judges(training: Training, parameters: Parameters): boolean {
  const classes = classesOf(parameters)
  return ['softmax', 'svm'].includes(training.options.method) && classes > 1 && classes <= judgedClassesMax
}

/** A network in front of the model, with its file. */
interface Front {
  spec: EmbedSpec
  file: Uint8Array
}

/** How the card tells what the features are. */
function featuresOf(images: ImageFeatures | Front | undefined): Record<string, unknown> | undefined {
  if (!images || !('spec' in images)) return images
  const { name, output, input, preprocess } = images.spec
  const sha256 = createHash('sha256').update(images.file).digest('hex')
  return { kind: 'network', network: name, sha256, output, height: input.height, width: input.width, preprocess }
}

/** How good the model is on the rows that it did not learn from. */
function heldOutOf({ holdout }: Body, { confusion, parameters }: TrainState): HeldOut | undefined {
  if (holdout === undefined || !confusion || parameters.stage === 'summary') return undefined
  const { label } = parameters.summary
  return label.kind === 'class' ? judged(holdout, label.names, confusion) : undefined
}

/** The model's file and card, which follow from the state alone. With `images` it takes these instead of their features. */
function finish(
  training: Training,
  { parameters, history, dataHash }: TrainState,
  images?: ImageFeatures | Front,
  heldOut?: HeldOut,
) {
  assert(parameters.stage === 'rounds', 'a model comes of rounds')
  const { model, setting } = training.model(parameters)
  const { round: rounds, objective } = parameters
  const card = makeModelCard(
    training,
    { model, setting, rounds, objective, history, parameters },
    { dataHash, features: featuresOf(images), heldOut },
  )
  const front = images && 'spec' in images ? { bytes: images.file, output: images.spec.output } : images
  return { onnx: exportOnnx(model, setting, card, front), card, summary: setting.summary }
}

function openTrainer(
  { training, columns, holdout }: Body,
  backend: Backend,
  room?: KeepRoom,
): PartialRunner<TrainState, TrainPartial> {
  const engine = openEngine(backend)
  const split = (share: number) => (shard: TableShard) => splitRows(shard, share, training.options.seed)
  const shards = createKeptShards(engine, columns, room, holdout === undefined ? undefined : split(holdout))
  /** The classifier that the last stage looks through. */
  let judge: { state: TrainState; session: Session } | undefined
  const sessionOf = (state: TrainState): Session => {
    if (judge?.state === state) return judge.session
    judge?.session.dispose()
    judge = { state, session: openSession(backend, loadModel(finish(training, state).onnx)) }
    return judge.session
  }
  return {
    async partial(state, blocks, round, key) {
      const { shard, held, hash } = shards.get(blocks, round, key)
      const rows = shard.rows + (held?.rows ?? 0)
      const numericClasses = [backend.numericClass]
      const hashes = round === 0 ? [hash()] : []
      if (state.stage === 'judge') {
        const confusion = await confusionOf(sessionOf(state), state, held ?? shard)
        return { partial: { stage: 'judge', hashes, numericClasses, confusion }, items: rows, errors: 0 }
      }
      const sum = await training.partial(engine, state.parameters, shard)
      return { partial: { stage: 'learn', sum, hashes, numericClasses }, items: rows, errors: 0 }
    },
    keeps: shards.has,
    close() {
      judge?.session.dispose()
      shards.close()
      engine.dispose()
    },
  }
}

/** Rows by their label and by the class with the highest score, [classes, classes], then those of a class that was not learnt. */
async function confusionOf(session: Session, { parameters }: TrainState, shard: TableShard): Promise<Float64Array> {
  const classes = classesOf(parameters)
  const { label, rows, x } = shard
  assert(parameters.stage === 'rounds' && parameters.summary.label.kind === 'class', 'a classifier has classes')
  if (label?.kind !== 'class') {
    throw new PeerError({ code: 'LEARN_NO_LABEL', kind: 'input', message: 'a shard of the table has no labels' })
  }
  const places = new Map(parameters.summary.label.names.map((name, place) => [name, place]))
  const counts = new Float64Array(classes ** 2 + 1)
  if (rows === 0) return counts
  const outputs = await session.run({ features: { type: 'float32', dims: [rows, x.length / rows], data: x } })
  const scores = toHost(outputs.probabilities ?? outputs.scores)
  for (let row = 0; row < rows; row++) {
    let best = 0
    for (let c = 1; c < classes; c++) if (scores[row * classes + c] > scores[row * classes + best]) best = c
    const truth = places.get(label.names[label.codes[row]])
    counts[truth === undefined ? classes ** 2 : truth * classes + best]++
  }
  return counts
}
