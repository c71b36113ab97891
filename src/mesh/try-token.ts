/** What a join token leads to from this machine: each address tried, and the peer there asked who it is. */
import { asMultiaddrs, peerOf } from './addresses.ts'
import { answersAt, dial } from './dial.ts'
import { createIdentity } from './identity.ts'
import { createNode } from './node.ts'
import { tryAll } from './probe.ts'
import { decodeToken } from './token.ts'
import type { AddressTrial } from './types.ts'

/** Joins nothing. @throws PeerError TOKEN_INVALID */
export async function tryToken(text: string): Promise<AddressTrial[]> {
  const { secret, addresses } = decodeToken(text)
  const node = await createNode({ identity: createIdentity(), secret, listen: [], refused() {} })
  await node.start()
  try {
    return await tryAll(addresses, {
      isThere: async address => {
        const peer = peerOf(address)
        return peer === undefined ? answersAny(node, address) : answersAt(node, peer, address)
      },
    })
  } finally {
    await node.stop()
  }
}

/** An address that names no peer is good where any of the mesh answers. */
const answersAny = (node: Awaited<ReturnType<typeof createNode>>, address: string) =>
  dial(node, asMultiaddrs([address])).then(
    () => true,
    () => false,
  )
