/** `peer doctor`: what this machine can compute with and why not more, whom it reaches, and what to do. */
import type { Command } from 'commander'
import pc from 'picocolors'
import { shortPeer } from '../../base/ids.ts'
import { dataFolder, hasMesh } from '../../peer/home.ts'
import { type CommonOptions, common, isNoPeer, withRunningPeer } from '../session.ts'
import { machineFindings, processFindings } from './doctor-machine.ts'
import { heldPort, mdnsFinding, networkFindings } from './doctor-network.ts'
import { type Finding, reachFindings, tokenFinding } from './doctor-reach.ts'

export function addDoctor(peer: Command): void {
  common(peer.command('doctor'))
    .description('say what this machine can compute with and why not more, whom it reaches, and what to do')
    .option('--join <token>', 'try the addresses of a join token')
    .addHelpText(
      'after',
      `
Examples:
  peer doctor
  peer doctor --json`,
    )
    .option('--json', 'machine-readable')
    .action(async (options: CommonOptions & { json?: boolean; join?: string }) => {
      const folder = dataFolder(options.data)
      const findings = [
        ...(await machineFindings(folder)),
        ...(await networkFindings()),
        ...(await mesh(options, folder)),
        ...(options.join === undefined ? [] : await token(options.join)),
      ]
      if (options.json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
      else for (const finding of findings) process.stdout.write(lines(finding))
    })
}

function lines({ topic, ok, says, advice }: Finding): string {
  const mark = ok ? pc.green('✓') : pc.yellow('!')
  return `  ${mark} ${topic.padEnd(9)} ${says}\n${advice ? `${' '.repeat(14)}${pc.dim(advice)}\n` : ''}`
}

async function mesh(options: CommonOptions, folder: string): Promise<Finding[]> {
  try {
    return await withRunningPeer(options, async client => {
      const info = await client.info()
      const others = (await client.peers()).filter(peer => !peer.self)
      const connected = others.filter(peer => peer.connected)
      const reach: Finding =
        connected.length > 0
          ? { topic: 'mesh', ok: true, says: `${info.mesh}: reaches ${connected.map(peer => peer.name).join(', ')}` }
          : {
              topic: 'mesh',
              ok: false,
              says: `${info.mesh}: no other peer is connected`,
              advice: `peers on other networks, or behind a firewall that blocks mDNS (UDP 5353), join by address: peer start --join ${info.token}`,
            }
      const byKey = new Map(others.map(peer => [peer.peer, peer]))
      const tried = reachFindings(await client.reachability(), {
        nameOf: peer => byKey.get(peer)?.name ?? shortPeer(peer),
        up: peer => byKey.get(peer)?.connected ?? false,
      })
      const here = [mdnsFinding(info.discovery, connected.length > 0), ...(await processFindings(info.pid))]
      return [reach, ...here, ...tried, ...info.warnings.slice(-5).map(says => ({ topic: 'warning', ok: false, says }))]
    })
  } catch (thrown) {
    if (!isNoPeer(thrown)) throw thrown
    const joined = await hasMesh(folder)
    return [
      await heldPort(),
      ...(await processFindings(process.pid)),
      {
        topic: 'mesh',
        ok: false,
        says: joined
          ? 'this machine belongs to a mesh, but no peer runs'
          : 'no peer runs, and this machine has joined no mesh',
        advice: joined ? 'peer start runs it' : 'peer start makes a mesh; peer start --join TOKEN joins one',
      },
    ]
  }
}

/** The addresses of a token that this machine can join with, and those that it cannot. */
async function token(text: string): Promise<Finding[]> {
  const { tryToken } = await import('../../mesh/try-token.ts')
  const trials = await tryToken(text)
  if (trials.length > 0) return trials.map(trial => tokenFinding(trial))
  const advice =
    'peers on the same local network find each other by mDNS; else make one with peer token --announce ADDRESS'
  return [{ topic: 'token', ok: false, says: 'it holds no address', advice }]
}
