/** The promises of membership, looked at from outside. Each breach names the promise. */
import type { PeerKey } from '../../../src/base/ids.ts'
import type { MembershipConfig, MembershipState } from '../../../src/mesh/membership/membership-state.ts'
import type { SimMember } from './member.ts'

export class PromiseBroken extends Error {}

/** After every step of one member. */
export function checkMember(name: PeerKey, config: MembershipConfig, state: MembershipState): void {
  if (state.members.size > config.peersMax) throw new PromiseBroken('no more peers are kept in mind than are allowed')
  if (state.members.has(name)) throw new PromiseBroken('nobody is a member of its own list')
  for (const member of state.members.values()) {
    if (member.up && (member.left || !member.announcement || (!member.connected && !member.far))) {
      throw new PromiseBroken('whoever is up is heard, and has said who it is')
    }
    if (member.connected && member.far) throw new PromiseBroken('whoever is connected is not far')
  }
}

/** What is missing until all that live know each other, and nobody else; undefined when nothing is. */
export function notYetKnown(living: SimMember[], names: PeerKey[]): string | undefined {
  const alive = new Set(living.map(({ name }) => name))
  for (const { index, name, state } of living) {
    for (const other of names) {
      if (other === name) continue
      const up = state.members.get(other)?.up ?? false
      if (up !== alive.has(other)) {
        return `m${index} ${up ? 'still hears the dead' : 'does not know'} m${names.indexOf(other)}`
      }
    }
  }
  return undefined
}

/** Everybody within its degree. */
export function beyondDegree(
  living: SimMember[],
  degreeMax: number,
  degree: (member: SimMember) => number,
): string | undefined {
  const over = living.find(member => degree(member) > degreeMax)
  return over && `m${over.index} has ${degree(over)} connections`
}
