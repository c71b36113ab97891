/** What every `peer submit` does with its request: hands it over, follows it or leaves it, and saves what comes of it. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import pc from 'picocolors'
import { workingFolder } from '../base/byte-names.ts'
import { PeerError } from '../base/errors.ts'
import { shortId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { priorityMax } from '../jobs/wire/spec.ts'
import { titleCharsMax } from '../jobs/wire/title.ts'
import type { Control, JobRequest, JobSummary, Submitted } from '../peer/control.ts'
import { dataFolder, hasMesh } from '../peer/home.ts'
import { wholeNumber, wholeNumberFrom } from './arguments.ts'
import { copiesUsual, nobodyElse, otherCopies, placed, untilSafe } from './detach.ts'
import { follow, requireFinal } from './follow.ts'
import { count, itemWords, plural, rate } from './format.ts'
import type { ListArguments } from './input-list.ts'
import { interruptible } from './interrupt.ts'
import { shareLines } from './live.ts'
import { checkOut, type OutKind, type Saved, saveResult } from './save-result.ts'
import { type CommonOptions, common, isNoPeer, runningPeer, temporaryPeer } from './session.ts'
import { sayIfLong, sayIfLongTo } from './waiting.ts'

/** The options that every submission has. */
export interface SubmitOptions extends CommonOptions, ListArguments {
  out?: string
  detach?: boolean
  copies?: number
  name?: string
  priority?: number
  json?: boolean
  raw?: boolean
}

/** A submission's own words, and what its result is. */
export interface SubmitWords {
  /** What comes out, which decides what `--out` may be. */
  kind: OutKind
  /** After the job's id: `2 models · 10 labels · merge mean`. */
  about: (submitted: Submitted) => string
}

/** @param out what `--out` takes, for the help */
export function submitOptions(command: Command, out: string): Command {
  return common(command)
    .option('--out <file>', out)
    .option('--detach', 'return once other peers hold the inputs; peer watch and peer results follow the job')
    .option(
      '--copies <n>',
      `with --detach: peers that hold the inputs, this one included if it stays (default: ${copiesUsual})`,
      copies,
    )
    .option('--name <name>', 'what the job is called in peer jobs (default: as its first input)', jobName)
    .option('--priority <n>', 'up to 1000: each peer works on the job of the highest first (default: 0)', priority)
    .option('--json', 'with --out: the summary as JSON on standard output; else the result, one line of JSON a row')
    .option('--raw', rawText)
}

const copies = wholeNumberFrom(1, limits.peersMax)

export const rawText = 'CSV: no apostrophe before texts that a spreadsheet would run, such as =1+1'

/** A model is bytes. */
function checkJson({ json, out, detach }: SubmitOptions, kind: OutKind): void {
  if (!json || detach || kind !== 'model' || (out !== undefined && out !== '-')) return
  throw new PeerError({
    code: 'INPUT_OPTIONS',
    kind: 'input',
    message: '--json needs --out FILE.onnx: a model is no JSON',
  })
}

/** Without --detach this machine stays, and nobody else needs the inputs. */
function checkCopies({ copies, detach }: SubmitOptions): void {
  if (copies === undefined || detach) return
  throw new PeerError({
    code: 'INPUT_OPTIONS',
    kind: 'input',
    message: '--copies counts with --detach alone: add --detach, or leave --copies out',
  })
}

function jobName(text: string): string {
  const name = text.trim()
  if (name !== '' && name.length <= titleCharsMax) return name
  throw new InvalidArgumentError(`a name of 1 to ${titleCharsMax} characters is expected.`)
}

function priority(text: string): number {
  const wanted = wholeNumber(text)
  if (wanted > priorityMax) throw new InvalidArgumentError(`at most ${priorityMax} is expected.`)
  return wanted
}

const say = (line: string) => process.stderr.write(`  ${line}\n`)

/** A request without what the session adds. */
export type BareRequest = JobRequest extends infer R
  ? R extends JobRequest
    ? Omit<R, 'cwd' | 'attached' | 'copies' | 'priority' | 'name'>
    : never
  : never

/** A request that another job must make possible first; `done` cleans up once this one has read its inputs. */
export type Preparing = (
  control: Control,
  signal: AbortSignal,
) => Promise<{ request: BareRequest; done: () => Promise<void> }>

/** Ends the process when it is done. */
export async function submitJob(
  wanted: BareRequest | Preparing,
  options: SubmitOptions,
  words: SubmitWords,
): Promise<void> {
  if (options.out !== undefined) await checkOut(options.out, words.kind)
  checkJson(options, words.kind)
  checkCopies(options)
  const abort = interruptible()
  const session = await openSession(options)
  let done = async () => {}
  try {
    let request: BareRequest
    if (typeof wanted === 'function') ({ request, done } = await wanted(session.control, abort.signal))
    else request = wanted
    const whole = {
      ...request,
      cwd: workingFolder(),
      attached: session.temporary && !options.detach,
      priority: options.priority,
      name: options.name,
      copies: options.detach ? otherCopies(options.copies ?? copiesUsual, session.temporary) : 0,
    }
    const submitted = await sayIfLong(
      'the models and the first inputs, which are looked at',
      session.control.submit(whole, abort.signal),
    )
    for (const note of submitted.notes) say(`${pc.yellow('!')} ${note}`)
    if (options.detach) await detach(session, submitted, options, abort.signal)
    else await finish(session, submitted, options, words, abort.signal)
  } finally {
    await done()
    await session.close()
  }
  process.exit() // the signal handlers would keep the process
}

interface Session {
  control: Control
  /** This process is the peer: the job ends with it. */
  temporary: boolean
  close(): Promise<void>
}

async function openSession(options: SubmitOptions): Promise<Session> {
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
  options: SubmitOptions,
  signal: AbortSignal,
): Promise<void> {
  const short = shortId(submitted.job)
  try {
    const job = await untilSafe(session.control, submitted.job, session.temporary, signal)
    if (job.outcome) requireFinal(job)
    if (job.copies?.placed)
      say(`${placed(job)} ${job.copies.placed === 1 ? 'holds' : 'hold'} the inputs: this machine may leave`)
    else say('no other peer holds the inputs: this machine must stay until the job is done')
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
  options: SubmitOptions,
  words: SubmitWords,
  signal: AbortSignal,
): Promise<void> {
  const { job } = submitted
  say(`job ${pc.bold(shortId(job))}  ${words.about(submitted)}`)
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
  const toFile = options.out !== undefined && options.out !== '-'
  const saved = await saveResult(sayIfLongTo('the result', session.control.results(job)), options.out, {
    format: options.json && !toFile ? 'jsonl' : 'csv',
    raw: options.raw,
  })
  if (options.json && toFile)
    process.stdout.write(
      `${JSON.stringify({ ...ended, numericClasses: saved.numericClasses, out: options.out, errorsFile: saved.errorsFile })}\n`,
    )
  summarise(ended, saved, toFile ? options.out : undefined)
  if (saved.rows > 0) return
  const { many } = itemWords(ended.workload)
  say(`${pc.red('nothing came out')}: none of the ${plural(saved.errors, many.replace(/s$/, ''))} could be read`)
  process.exitCode = 1
}

function summarise(job: JobSummary, saved: Saved, out?: string): void {
  const { unit, done } = itemWords(job.workload)
  const unreadable =
    saved.errors > 0
      ? ` · ${count(saved.errors)} unreadable${saved.errorsFile ? ` (listed in ${saved.errorsFile})` : ''}`
      : ''
  const pace = `${rate(job.itemsPerSecond)} ${unit}/s`
  say(
    `${pc.green('done')} in ${(job.elapsedMs / 1000).toFixed(1)} s · ${count(saved.rows)} ${done} · ${pace}${unreadable}`,
  )
  if (job.skipped) {
    say(`${pc.yellow('!')} ${plural(job.skipped.rows, 'row')} left out; the first: ${job.skipped.first}`)
  }
  if (job.passedOver) {
    const { files, first } = job.passedOver
    say(
      `${pc.yellow('!')} ${plural(files, 'file')} of another kind passed over, such as ${first}: name a file to have it taken`,
    )
  }
  for (const line of saved.told) say(line)
  for (const line of shareLines(job)) say(`  ${line}`)
  say(
    pc.dim(
      saved.numericClasses.length === 1
        ? `the same bits on any peers of this numeric class (backend/arithmetic/precision/kernels): ${saved.numericClasses[0]}`
        : `several numeric classes (backend/arithmetic/precision/kernels) computed it (${saved.numericClasses.join(', ')}): the last digits may differ from run to run`,
    ),
  )
  if (out) say(`${saved.what} in ${pc.bold([out, ...saved.beside].join(', '))}`)
}

export const modelsText = (submitted: Submitted): string => plural(submitted.models.length, 'model')
