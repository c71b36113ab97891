/**
 * A mesh's name for people: two words drawn by the secret's hash. It tells meshes apart at a glance and
 * reveals nothing of the secret (12 bits of a hash under a label of its own).
 */
import { derive } from './admission.ts'

/** 64 words each, so that six bits choose one. Their order is part of the name: append nothing, change nothing. */
const first =
  'amber azure brave brisk bronze calm cedar clear clever cobalt copper coral crisp dapper dawn deft ' +
  'eager early ember fair fleet fresh frosty gentle giddy gilded golden grand hazel honest indigo ivory ' +
  'jade jolly keen kind lively lucid lunar maple mellow merry misty noble olive opal pearl plucky ' +
  'polar proud quick quiet rapid rosy ruby sandy scarlet silver solar steady sunny swift tidal vivid'
const second =
  'otter badger beaver bison bobcat condor corgi coyote crane dingo dolphin eagle egret falcon ferret finch ' +
  'fox gecko gibbon gopher grouse gull hare hawk heron hornet ibex ibis jackal jaguar kestrel koala ' +
  'lark lemur linnet lion llama lynx magpie marmot marten mole moose newt ocelot oriole osprey owl ' +
  'panda parrot pelican pika plover puffin puma quail rabbit raven robin salmon seal stoat swan tapir'

/** Such as `amber-otter`, from the mesh's secret of 32 bytes; the same on every peer. */
export function meshName(secret: Uint8Array): string {
  const hash = derive(secret, 'name', 2)
  return `${first.split(' ')[hash[0] % 64]}-${second.split(' ')[hash[1] % 64]}`
}
