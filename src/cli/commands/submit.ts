/** `peer submit classify`: spreads images over the mesh and writes one file of predictions. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import pc from 'picocolors'
import { PeerError } from '../../base/errors.ts'
import { shortId } from '../../base/ids.ts'
import { type MergeKind, mergeKinds, type ScoreKind, scoreKinds } from '../../jobs/workloads/classify/spec.ts'
import type { Control, JobSummary, Submitted } from '../../peer/control.ts'
import { dataFolder, hasMesh } from '../../peer/home.ts'
import { copiesUsual, nobodyElse, otherCopies, placed, untilSafe } from '../detach.ts'
import { follow, interruptible, requireFinal } from '../follow.ts'
import { count, plural, rate } from '../format.ts'
import { shareLines } from '../live.ts'
import { checkOut, type Saved, saveResult } from '../save-result.ts'
import { type CommonOptions, common, isNoPeer, runningPeer, temporaryPeer } from '../session.ts'
import { wholeNumber } from './start.ts'

interface ClassifyOptions extends CommonOptions {
  model: string[]
  merge: MergeKind
  weights?: number[]
  top: number
  labels?: string
  scores?: ScoreKind
  out?: string
  detach?: boolean
  copies: number
  json?: boolean
}

export function addSubmit(peer: Command): void {
  const submit = peer.command('submit').description('submit a job to the mesh')
  common(submit.command('classify'))
    .description('classify images with one network or an ensemble')
    .argument('<input...>', 'folders (recursive), files or globs')
    .requiredOption(
      '--model <path...>',
      'an .onnx file, or a folder as Hugging Face exports are; repeat for an ensemble',
    )
    .addOption(
      new Option('--merge <how>', "mean of the probabilities, vote of the best labels, or max: the surest network's")
        .choices(mergeKinds)
        .default('mean'),
    )
    .option('--weights <list>', 'a weight a model, such as 2,1', weights)
    .option('--top <k>', 'labels kept for each image, best first (in .jsonl)', wholeNumber, 1)
    .option('--labels <file>', 'one label a line, for networks that bring none')
    .addOption(
      new Option(
        '--scores <kind>',
        "what makes a network's output a probability (default: softmax, or none where it ends in one)",
      ).choices(scoreKinds),
    )
    .option('--out <file>', 'a .csv or .jsonl file (default: CSV on standard output)')
    .option('--detach', 'return once other peers hold the inputs; peer watch and peer results follow the job')
    .option(
      '--copies <n>',
      'with --detach: peers that hold the inputs, this one included if it stays',
      copies,
      copiesUsual,
    )
    .option('--json', 'the summary as JSON on standard output (with --out)')
    .addHelpText(
      'after',
      `
Examples:
  peer submit classify photos --model mobilenet --out predictions.csv
  peer submit classify a.jpg 'more/**/*.png' --model ./vit --model resnet50.onnx --labels labels.txt --merge vote
The columns are path, label, score, then <model>_label and <model>_score for each model. Images that cannot be
read are listed with the reason in predictions.errors.csv.`,
    )
    .action(classify)
}

function weights(text: string): number[] {
  const list = text.split(',').map(Number)
  if (list.some(weight => !(weight > 0 && Number.isFinite(weight))))
    throw new InvalidArgumentError('positive numbers are expected, such as 2,1.')
  return list
}

function copies(text: string): number {
  const wanted = wholeNumber(text)
  if (wanted < 1) throw new InvalidArgumentError('at least 1 is expected.')
  return wanted
}

const say = (line: string) => process.stderr.write(`  ${line}\n`)

async function classify(inputs: string[], options: ClassifyOptions): Promise<void> {
  if (options.out) await checkOut(options.out)
  const abort = interruptible()
  const session = await openSession(options)
  try {
    const submitted = await session.control.submit({
      workload: 'classify',
      inputs,
      cwd: process.cwd(),
      models: options.model,
      merge: options.merge,
      weights: options.weights,
      top: options.top,
      labels: options.labels,
      scores: options.scores,
      attached: session.temporary && !options.detach,
      copies: options.detach ? otherCopies(options.copies, session.temporary) : 0,
    })
    for (const note of submitted.notes) say(`${pc.yellow('!')} ${note}`)
    if (options.detach) await detach(session, submitted, options, abort.signal)
    else await finish(session, submitted, options, abort.signal)
  } finally {
    await session.close()
  }
  process.exit(0) // the signal handlers would keep the process
}

interface Session {
  control: Control
  /** This process is the peer: the job ends with it. */
  temporary: boolean
  close(): Promise<void>
}

async function openSession(options: ClassifyOptions): Promise<Session> {
  try {
    const client = await runningPeer(options)
    return { control: client, temporary: false, close: () => client.close() }
  } catch (thrown) {
    if (!isNoPeer(thrown)) throw thrown
  }
  if (options.detach && !(await hasMesh(dataFolder(options.data)))) throw nobodyElse()
  // A peer that leaves soon takes no shards: it would only have to give them back.
  const peer = await temporaryPeer(options, line => say(pc.dim(line)), !options.detach)
  if (options.detach && !(await peer.waitForPeers(0))) {
    await peer.stop()
    throw nobodyElse()
  }
  return { control: peer, temporary: true, close: () => peer.stop() }
}

async function detach(
  session: Session,
  submitted: Submitted,
  options: ClassifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const short = shortId(submitted.job)
  try {
    const job = await untilSafe(session.control, submitted.job, session.temporary, signal)
    if (job.outcome) requireFinal(job)
    if (job.copies)
      say(`${placed(job)} ${job.copies.placed === 1 ? 'holds' : 'hold'} the inputs: this machine may leave`)
  } catch (thrown) {
    if (session.temporary) await session.control.cancel(submitted.job)
    throw thrown
  }
  say(`fetch the result on any peer: peer results ${short}${options.out ? ` --out ${options.out}` : ''}`)
  process.stdout.write(options.json ? `${JSON.stringify(submitted)}\n` : `${short}\n`)
}

async function finish(
  session: Session,
  submitted: Submitted,
  options: ClassifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { job, models } = submitted
  say(
    `job ${pc.bold(shortId(job))}  ${plural(models.length, 'model')} · ${count(models[0].labels)} labels · merge ${options.merge}`,
  )
  const ended = await follow(session.control, job, signal)
  if (!ended) {
    if (session.temporary) await session.control.cancel(job)
    throw new PeerError({
      code: 'INTERRUPTED',
      kind: 'aborted',
      message: session.temporary
        ? 'stopped, and the job with it'
        : `job ${shortId(job)} goes on: peer watch ${shortId(job)} follows it, peer cancel ${shortId(job)} ends it`,
    })
  }
  requireFinal(ended)
  const saved = await saveResult(session.control.results(job), options.out, 'csv')
  if (options.json && options.out)
    process.stdout.write(
      `${JSON.stringify({ ...ended, numericClasses: saved.numericClasses, out: options.out, errorsFile: saved.errorsFile })}\n`,
    )
  summarise(ended, saved, options.out)
}

function summarise(job: JobSummary, saved: Saved, out?: string): void {
  const unreadable =
    saved.errors > 0
      ? ` · ${count(saved.errors)} unreadable${saved.errorsFile ? ` (listed in ${saved.errorsFile})` : ''}`
      : ''
  say(
    `${pc.green('done')} in ${(job.elapsedMs / 1000).toFixed(1)} s · ${count(saved.rows)} classified · ${rate(job.itemsPerSecond)} img/s${unreadable}`,
  )
  for (const line of shareLines(job)) say(`  ${line}`)
  say(
    pc.dim(
      saved.numericClasses.length === 1
        ? `reproducible to the bit (${saved.numericClasses[0]})`
        : `computed in several numeric classes (${saved.numericClasses.join(', ')}): the last digits may differ from run to run`,
    ),
  )
  if (out) say(`predictions in ${pc.bold(out)}`)
}
