/**
 * The one error type that crosses rooms. A bug asserts and crashes; an operating error is a `PeerError`
 * with a stable code, and its message says what to do next.
 */

/** What kind of thing went wrong; the CLI's exit code and the retry policy follow from it. */
export type ErrorKind =
  | 'input' // the user's files, options or data
  | 'model' // a network or one of its nodes
  | 'resource' // disk, memory, port, device
  | 'transport' // a connection or stream
  | 'protocol' // a message that breaks the rules
  | 'integrity' // a hash or signature that does not match
  | 'aborted' // stopped on purpose

/** What a PeerError is made of. */
export interface PeerErrorInit {
  /** Stable, in SCREAMING_SNAKE_CASE, such as `MODEL_UNSUPPORTED_OP`. */
  code: string
  /** What kind of thing went wrong. */
  kind: ErrorKind
  /** One line: what happened and what to do next. */
  message: string
  /** Whether the same call may succeed later or on another peer. */
  retry?: 'never' | 'later' | 'elsewhere'
  /** Machine-readable facts: expected, got, node, file… */
  details?: Record<string, unknown>
  /** What was thrown below it. */
  cause?: unknown
}

/** An operating error: its message is one line that says what happened and what to do next. */
export class PeerError extends Error {
  /** Always `PeerError`, also where the class is another copy’s. */
  override readonly name = 'PeerError'
  /** Stable, in SCREAMING_SNAKE_CASE, such as `MODEL_UNSUPPORTED_OP`. */
  readonly code: string
  /** What kind of thing went wrong. */
  readonly kind: ErrorKind
  /** Whether the same call may succeed later or on another peer. */
  readonly retry: 'never' | 'later' | 'elsewhere'
  /** Facts for programs: expected, got, node, file… */
  readonly details: Record<string, unknown>

  constructor(init: PeerErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = init.code
    this.kind = init.kind
    this.retry = init.retry ?? 'never'
    this.details = init.details ?? {}
  }

  /** The form that survives a thread, a process or a wire. */
  toJSON(): Omit<PeerErrorInit, 'cause'> {
    return { code: this.code, kind: this.kind, message: this.message, retry: this.retry, details: this.details }
  }

  /** Any thrown thing as a PeerError: itself if it is one, else a wrapped bug. */
  static from(thrown: unknown, fallback: { code: string; kind: ErrorKind }): PeerError {
    if (thrown instanceof PeerError) return thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return new PeerError({ ...fallback, message, cause: thrown })
  }
}

/** A broken invariant is a bug in this program: say which, and stop. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${invariant}`)
}
