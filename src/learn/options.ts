/**
 * What a training may be asked for, with its defaults and bounds; the same schema holds for a command line and for a job's
 * spec from another peer.
 */
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

const count = z.int().min(1).max(limits.componentsMax)
const positive = z.number().positive().max(1e30)
const amount = z.number().min(0).max(1e30)
const matrix = z.array(z.array(z.number()).min(1).max(limits.tableColumnsMax)).min(1).max(limits.componentsMax)

const common = {
  /** Features divided by this before anything else; exclusive with `standardise`. */
  divide: positive.default(1),
  /** `standard`: every feature to mean 0 and population standard deviation 1 of the whole table. */
  standardise: z.enum(['none', 'standard']).default('none'),
  /** `mean`: a missing value is taken for the mean of its column's others, by the model that is made too. */
  missing: z.enum(['error', 'mean']).default('error'),
  /** Of everything random. */
  seed: z.int().min(0).max(0xffffffff).default(0),
}

const rounds = (value: number) => z.int().min(1).max(limits.roundsMax).default(value)

const kmeans = z.strictObject({
  method: z.literal('kmeans'),
  ...common,
  k: count,
  /** k-means|| (Bahmani et al., 2012), or the centers themselves, in the table's own units. */
  init: z.union([z.literal('k-means||'), matrix]).default('k-means||'),
  /** Ends when the centers moved less, squared and summed, than this share of the features' mean variance. */
  tolerance: amount.default(1e-4),
  roundsMax: rounds(300),
})

const gmm = z.strictObject({
  method: z.literal('gmm'),
  ...common,
  k: count,
  covariance: z.enum(['full', 'tied', 'diag', 'spherical']).default('full'),
  /** Added to every variance. */
  regCovar: amount.default(1e-6),
  /**
   * k-means (which k-means|| starts), or the means in the table's own units; then with equal weights and, after `divide` and
   * `standardise`, unit covariances.
   */
  init: z.union([z.literal('kmeans'), matrix]).default('kmeans'),
  /** Ends when the mean log-likelihood changed less. */
  tolerance: amount.default(1e-3),
  roundsMax: rounds(100),
})

const descent = {
  /** `lbfgs` takes all rows each round; `sgd` (with momentum) and `adam` take `batchRows` of them. */
  solver: z.enum(['lbfgs', 'sgd', 'adam']).default('lbfgs'),
  learningRate: positive.default(0.01),
  momentum: z.number().min(0).max(0.9999).default(0.9),
  /** Rows of a round over all shards, about. */
  batchRows: z.int().min(1).max(1_000_000_000).default(4096),
  /** Passes over the data of `sgd` and `adam`. */
  epochs: rounds(20),
  /** `lbfgs` ends when no element of the gradient is larger than this share of the objective's scale. */
  tolerance: amount.default(1e-6),
  roundsMax: rounds(1000),
}

const softmax = z.strictObject({
  method: z.literal('softmax'),
  ...common,
  ...descent,
  /** The objective is c * (sum of log losses) + |weights|^2 / 2; the bias is free. */
  c: positive.default(1),
})

const svm = z.strictObject({
  method: z.literal('svm'),
  ...common,
  ...descent,
  /** The objective is c * (sum of squared hinges, one class against the rest) + |weights and bias|^2 / 2. */
  c: positive.default(1),
})

const linear = z.strictObject({
  method: z.literal('linear'),
  ...common,
  ...descent,
  /** `normal` solves the normal equations in one round. */
  solver: z.enum(['normal', 'lbfgs', 'sgd', 'adam']).default('normal'),
  /** The objective is the sum of squared errors + alpha * |weights|^2; the bias is free. 0: least squares. */
  alpha: amount.default(0),
})

const pca = z.strictObject({
  method: z.literal('pca'),
  ...common,
  components: count,
  /** `randomised` never holds features x features: for wide tables. */
  solver: z.enum(['covariance', 'randomised']).default('covariance'),
  /** Directions beyond those asked for, and rounds of subspace iteration, of `randomised`. */
  oversampling: z.int().min(0).max(1000).default(10),
  iterations: z.int().min(0).max(100).default(12),
})

const schema = z.discriminatedUnion('method', [kmeans, gmm, softmax, svm, linear, pca])

export type TrainOptions = z.infer<typeof schema>
export type MethodName = TrainOptions['method']
export type OptionsOf<M extends MethodName> = Extract<TrainOptions, { method: M }>
/** As a caller writes them: what has a default may be left out. */
export type TrainInit = z.input<typeof schema>

export const methodNames: readonly MethodName[] = ['kmeans', 'gmm', 'softmax', 'svm', 'linear', 'pca']

/** @throws PeerError LEARN_BAD_OPTIONS, which names the option */
export function parseTrainOptions(init: unknown): TrainOptions {
  const parsed = schema.safeParse(init)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    if (issue.code === 'unrecognized_keys') {
      const method = String((init as { method?: unknown }).method)
      throw badOption(issue.keys[0], `${method} has no such option; ${optionsText(method)}`)
    }
    const name = issue.path.map(String).join('.') || 'method'
    throw badOption(name, problemOf(issue))
  }
  const options = parsed.data
  if (options.standardise !== 'none' && options.divide !== 1) {
    throw badOption('divide', 'has no effect beside standardise: leave one of them out')
  }
  return options
}

function optionsText(method: string): string {
  const known = schema.options.find(one => one.shape.method.value === method)
  return `it has ${Object.keys(known?.shape ?? {})
    .filter(name => name !== 'method')
    .map(optionName)
    .join(', ')}`
}

/** What is wrong with a value, in words of ours: the schema's own are for programmers. */
function problemOf(issue: z.core.$ZodIssue): string {
  const { code, input } = issue
  if (code === 'too_small') return `must be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}`
  if (code === 'too_big') return `must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}`
  if (code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  if (code === 'invalid_union' && 'discriminator' in issue) return `must be one of ${methodNames.join(', ')}`
  if (code === 'invalid_union') return 'must be rows of numbers, such as [[0, 1], [2, 3]]'
  if (code !== 'invalid_type') return issue.message.split('\n')[0]
  if (input === undefined && issue.message.endsWith('received undefined')) return 'must be given'
  return `must be a ${issue.expected === 'int' ? 'whole number' : issue.expected}`
}

/** Those that the command line calls otherwise, or has no option for. */
const otherNames: Readonly<Record<string, string>> = {
  roundsMax: '--rounds',
  method: 'method',
  labelKind: 'labelKind',
}

/** As the command line writes it. */
export function optionName(option: string): string {
  return otherNames[option] ?? `--${option.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

/** Options that one solver of a method looks at and another does not. */
const bySolver: Record<string, readonly string[]> = {
  learningRate: ['sgd', 'adam'],
  momentum: ['sgd'],
  batchRows: ['sgd', 'adam'],
  epochs: ['sgd', 'adam'],
  tolerance: ['lbfgs'],
  roundsMax: ['lbfgs', 'sgd', 'adam'],
  oversampling: ['randomised'],
  iterations: ['randomised'],
}

/**
 * What was asked for and would change nothing is refused: silence would be taken for consent.
 * @param init as the user gave them; `options` what came of it
 * @throws PeerError LEARN_BAD_OPTIONS
 */
export function checkEffect(init: Readonly<Record<string, unknown>>, options: TrainOptions): void {
  if (!('solver' in options)) return
  const { solver } = options
  for (const [name, solvers] of Object.entries(bySolver)) {
    if (init[name] === undefined || solvers.includes(solver)) continue
    throw badOption(name, `has no effect with the solver ${solver}, only with ${solvers.join(' and ')}: leave it out`)
  }
}

export function badOption(option: string, problem: string): PeerError {
  return new PeerError({
    code: 'LEARN_BAD_OPTIONS',
    kind: 'input',
    message: `the training's option ${optionName(option)}: ${problem}`,
    details: { option },
  })
}
