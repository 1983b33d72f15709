import { PUSHED, REDIRECT } from '../bucket-peers.ts'
import { runClient } from '../client.ts'
import { megabytesPerSecond, type Transfer } from '../jobs.ts'
import type { PeerId } from '../peers.ts'
import { cpuSeconds } from '../processes.ts'
import type { Server } from '../server.ts'
import { MEBIBYTE, type Case, type Metric } from './case.ts'
import { cidOf, provideImage, warm } from './image.ts'

const PEERS: readonly PeerId[] = ['docker-registry-s3', 'distribution-s3', 'disco-s3']
const STREAMS = [1, 8] as const
/** Bytes of a layer, by the number of streams. */
const SIZE = { 1: 512 * MEBIBYTE, 8: 128 * MEBIBYTE }

export const pushToBucket: readonly Case[] = STREAMS.map((streams): Case => ({
  name: `s3-push${streams}`,
  peers: PEERS,
  metrics: {
    ...metrics(`Push to S3, ${many(streams)}`),
    memory: { title: '… peak memory of the registry', unit: 'MB', goals: [{ atMost: 400 }] },
  },
  async run({ peer, start }) {
    const server = await start([PUSHED])
    await provideImage(peer, server, [MEBIBYTE])
    const images = Array.from({ length: streams }, (_, index) => ({ name: `push/${index}`, tag: 'latest', layers: [SIZE[streams]] }))
    let digests: readonly string[] = []
    const measured = await measure(server, async () => {
      const result = await runClient<'push'>({ kind: 'push', port: server.port, images });
      ({ digests } = result)
      return result
    })
    if (peer.global) for (const digest of digests) await cidOf(server.port, digest)
    return { ...measured, memory: Math.max(...(await server.peakMemory())) / 1e6 }
  },
}))

export const pullFromBucket: readonly Case[] = STREAMS.map((streams) => pullCase(`s3-pull${streams}`, `Pull from S3, ${many(streams)}`, streams, []))
export const pullRedirected: readonly Case[] = STREAMS.map((streams) => pullCase(`s3-redirect${streams}`, `Pull from S3 by redirect, ${many(streams)}`, streams, [REDIRECT]))

function pullCase(name: string, title: string, streams: 1 | 8, extra: readonly string[]): Case {
  return {
    name,
    peers: PEERS,
    metrics: metrics(title),
    async run({ peer, start }) {
      const server = await start(extra)
      const image = await provideImage(peer, server, [SIZE[streams]])
      await warm(server, image)
      return await measure(server, () => runClient<'pull'>({ kind: 'pull', port: server.port, image, streams, times: 3, verify: false }))
    },
  }
}

function metrics(title: string): Record<'speed' | 'own' | 'bucket', Metric> {
  return {
    speed: { title, unit: 'MB/s', goals: [{ against: 'docker-registry-s3', atLeast: 1 }, { against: 'distribution-s3', atLeast: 1 }] },
    own: { title: '… CPU of the registry', unit: 's/GB', digits: 2, goals: [] },
    bucket: { title: '… CPU of the S3 server', unit: 's/GB', digits: 2, goals: [] },
  }
}

function many(streams: 1 | 8): string {
  return streams === 1 ? `one stream of ${SIZE[1] / MEBIBYTE} MiB` : `eight streams of ${SIZE[8] / MEBIBYTE} MiB`
}

async function measure({ pid, bucketPid = 0 }: Server, work: () => Promise<Transfer>): Promise<Record<'speed' | 'own' | 'bucket', number>> {
  const before = { own: await cpuSeconds(pid), bucket: await cpuSeconds(bucketPid) }
  const result = await work()
  const gigabytes = result.bytes / 1e9
  return {
    speed: megabytesPerSecond(result),
    own: (await cpuSeconds(pid) - before.own) / gigabytes,
    bucket: (await cpuSeconds(bucketPid) - before.bucket) / gigabytes,
  }
}
