// The options of big segments.
namespace Flagstone;

public sealed partial class FlagstoneOptions
{
    /// <summary>
    /// Redis with the members of big segments, as the Relay Proxy writes them; in the form of <see cref="RedisUrl"/>. Of the
    /// options <c>Redis…</c> only the time-outs hold for one that is given. Default: <see cref="RedisUrl"/>.
    /// </summary>
    public string? BigSegmentsUrl { get; set; }

    /// <summary>Prefix of its keys. Default: <see cref="RedisPrefix"/>.</summary>
    public string? BigSegmentsPrefix { get; set; }

    /// <summary>Most contexts whose big segments are remembered. Default: 1000.</summary>
    public int? BigSegmentsCacheSize { get; set; }

    /// <summary>How long they are; changes that Redis tells of are seen at once. Default: 5000.</summary>
    public int? BigSegmentsCacheMs { get; set; }

    /// <summary>
    /// How often the store is asked when it was brought up to date: Redis once it is used, a store of the host's own once the
    /// client is started. Default: 5000.
    /// </summary>
    public int? BigSegmentsPollIntervalMs { get; set; }

    /// <summary>How long ago that may be before the store counts as stale. Default: 120000.</summary>
    public int? BigSegmentsStaleAfterMs { get; set; }

    /// <summary>
    /// A store of the host's own in place of Redis. It belongs to the client, which disposes of it: one for each. Default: none.
    /// Not an option of the library.
    /// </summary>
    public IBigSegmentStore? BigSegmentStore { get; set; }
}
