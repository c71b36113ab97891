/** `peer submit`: one file a kind of job. */
import type { Command } from 'commander'
import { addClassify } from './submit-classify.ts'
import { addEmbed } from './submit-embed.ts'
import { addScore } from './submit-score.ts'
import { addTrain } from './submit-train.ts'

export function addSubmit(peer: Command): void {
  const submit = peer.command('submit').description('submit a job to the mesh')
  for (const add of [addClassify, addEmbed, addTrain, addScore]) add(submit)
}
