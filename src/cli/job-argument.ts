/** The job that a command is about: its id, the beginning of it, or the newest one. */
import type { Command } from 'commander'
import { PeerError } from '../base/errors.ts'
import type { Control, JobSummary } from '../peer/control.ts'

export interface JobArgument {
  last?: boolean
}

export function jobArgument(command: Command): Command {
  return command
    .argument('[job]', "the job's id, or the beginning of it")
    .option('--last', 'the newest job, in place of an id')
}

function wrong(message: string): PeerError {
  return new PeerError({ code: 'JOB_ARGUMENT', kind: 'input', message })
}

/** Newest first. A job that nothing is known of yet counts as new. */
export function newestFirst(jobs: readonly JobSummary[]): JobSummary[] {
  return [...jobs].sort((a, b) => (b.createdMs ?? Number.MAX_VALUE) - (a.createdMs ?? Number.MAX_VALUE))
}

/** @returns an id, or the beginning of one. Throws PeerError JOB_ARGUMENT */
export async function jobId(control: Control, id: string | undefined, { last }: JobArgument): Promise<string> {
  if (id !== undefined && last) throw wrong('give the id of a job or --last, not both')
  if (id !== undefined) return id
  if (!last) throw wrong('which job? Give its id, or --last for the newest; peer jobs lists them')
  const [newest] = newestFirst(await control.jobs())
  if (!newest) throw wrong('there is no job yet')
  return newest.job
}
