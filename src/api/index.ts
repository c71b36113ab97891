/**
 * The library. `connect` reaches the peer that runs on this machine, `startPeer` makes one in this process;
 * both give a `Control`.
 *
 * ```ts
 * const peer = await connect()
 * const { job } = await peer.submit({ workload: 'classify', inputs: ['photos'], cwd: '.', models: ['net'], merge: 'mean', top: 1 })
 * for await (const state of peer.watch(job)) console.log(state.itemsDone)
 * for await (const item of peer.results(job)) console.log(item)
 * ```
 */
import './require-node.ts' // first, so that an older Node gets a plain error
import { dataFolder, socketPathOf } from '../peer/home.ts'
import { type Client, connectClient } from './client.ts'

export { type ErrorKind, PeerError, type PeerErrorInit } from '../base/errors.ts'
export type { BlockId, JobId, PeerKey } from '../base/ids.ts'
export type { Ballot, JobOutcome, JobPhase } from '../jobs/core/types.ts'
export type { Column, Rows, RowsRoot } from '../jobs/workloads/rows/result.ts'
export type { ModelRoot } from '../jobs/workloads/train/result.ts'
export type { AddressTrial, DiscoveryState, Reachability, TrialOutcome } from '../mesh/types.ts'
export type {
  ClassifyRequest,
  Control,
  GcReport,
  GcRequest,
  JobCopies,
  JobRequest,
  JobShare,
  JobSummary,
  JobTitle,
  PassedOverFiles,
  PeerInfo,
  PeerView,
  Ranked,
  ResultHeader,
  ResultItem,
  ResultRow,
  SkippedRows,
  Submitted,
} from '../peer/control.ts'
export type { JobEnd, JobFacts, PeerEvent, PeerEvents } from '../peer/events.ts'
export type { Home } from '../peer/home.ts'
export { type Peer, type PeerInit, startPeer } from '../peer/peer.ts'
export type { Client } from './client.ts'

/** The peer that runs with this data folder (default as the command line's). Throws PeerError NO_PEER. */
export function connect(options: { data?: string } = {}): Promise<Client> {
  return connectClient(socketPathOf(dataFolder(options.data)))
}
