/**
 * Every bound on what comes from outside, in one place. A length, count or shape is checked against
 * these before anything is allocated for it.
 */
const KiB = 1024
const MiB = 1024 * KiB

export const limits = {
  /** Content is cut into blocks of this size: small enough to verify and resume, large enough to stream well. */
  blockBytes: 1 * MiB,
  /** No block, and so no reply that carries one, is larger. */
  blockBytesMax: 4 * MiB,
  /** A gossip message is a hint; 64 KiB is far below the size at which gossipsub loses messages silently. */
  gossipBytesMax: 64 * KiB,
  /** A request or a reply over a stream, framing excluded. */
  messageBytesMax: 4 * MiB,
  /** One input file. A larger photograph than this is not a photograph. */
  inputBytesMax: 256 * MiB,
  /** Decoded pixels of one image; 30,000 x 30,000 is refused, a 200-megapixel camera is not. */
  imagePixelsMax: 268_402_689,
  /** Pixels of an image's longer side; bounds the tables of a resize. */
  imageSideMax: 100_000,
  /** One ONNX file. */
  modelBytesMax: 2048 * MiB,
  /** Dims of one tensor. */
  tensorRankMax: 8,
  /** Elements of one tensor: 2 GiB of float32. */
  tensorElementsMax: 512 * MiB,
  /** Ops of one network, and values of one attribute or shape. */
  modelOpsMax: 100_000,
  /** Values of one table of a classical model, such as its trees' nodes: as far as float32 counts. */
  modelTableValuesMax: 16 * MiB,
  /** Rows of one batch. */
  batchMax: 4096,
  /** Models in one ensemble. */
  modelsMax: 32,
  /** Classes of one classifier. */
  labelsMax: 100_000,
  /** Shards of one job. */
  shardsMax: 1_000_000,
  /** Items of one shard. */
  shardItemsMax: 65_536,
  /** Blocks of one shard. */
  shardBlocksMax: 1024,
  /** Shards or results named by one message; longer lists travel as several messages. */
  messageShardsMax: 16_384,
  /** Stream messages in one request between two peers. */
  envelopeMessagesMax: 4096,
  /** One line for a person inside a message: why a shard or a job failed. */
  reasonCharsMax: 2000,
  /** Jobs that one peer keeps in mind. */
  jobsMax: 1024,
  /** Peers that one peer keeps in mind. */
  peersMax: 4096,
  /** Batches that one program has under way on a GPU; more only hold memory. */
  gpuBatchesMax: 4,
  /** Columns of a table, and features of a trained model. */
  tableColumnsMax: 16_384,
  /** Rows of one shard of a table. */
  tableShardRowsMax: 1_048_576,
  /** Values of one shard of a table: 256 MiB of float32. */
  tableShardValuesMax: 64 * MiB,
  /** Characters of one cell of a table. */
  cellCharsMax: 65_536,
  /** Clusters, components or principal directions of one model. */
  componentsMax: 4096,
  /** Rounds of one training. */
  roundsMax: 100_000,
  /** Float64 values of one training's parameters, and of one partial sum: 128 MiB. */
  learnValuesMax: 16 * MiB,
} as const
