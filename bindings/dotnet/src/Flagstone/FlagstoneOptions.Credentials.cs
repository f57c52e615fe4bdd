// The options of logins that change while a client lives.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

public sealed partial class FlagstoneOptions
{
    /// <summary>
    /// File with the password, in the place of one: read at each connect and when it changes; the end of its line is dropped.
    /// Default: none.
    /// </summary>
    public string? RedisPasswordFile { get; set; }

    /// <summary>
    /// Where user and password come from. Default: <see cref="RedisCredentialsSource.Static"/>, and
    /// <see cref="RedisCredentialsSource.Host"/> with a <see cref="RedisCredentialsProvider"/>.
    /// </summary>
    public RedisCredentialsSource? RedisCredentials { get; set; }

    /// <summary>
    /// Gives credentials for Redis: asked at the start, before they expire, and when Redis refuses them; one call at a time, by
    /// the client, which goes on serving flags and notifications meanwhile. One that has not answered after 30 s is given up, and
    /// its token is cancelled; one that fails is asked again, after pauses of 1 s up to a minute, and the logger gets what it has
    /// thrown. Default: none. Not an option of the library.
    /// </summary>
    public Func<CancellationToken, ValueTask<RedisCredentials>>? RedisCredentialsProvider { get; set; }

    /// <summary>
    /// Region of the cluster, with <see cref="RedisCredentialsSource.AwsIam"/>. Default: what the environment says in
    /// <c>AWS_REGION</c>, then in <c>AWS_DEFAULT_REGION</c>.
    /// </summary>
    public string? RedisAwsRegion { get; set; }

    /// <summary>The service. Default: <see cref="Flagstone.RedisAwsService.ElastiCache"/>.</summary>
    public RedisAwsService? RedisAwsService { get; set; }

    /// <summary>Name of the cluster, replication group or serverless cache, not its address. Default: none.</summary>
    public string? RedisAwsCluster { get; set; }

    /// <summary>Whether it is a serverless cache. Default: false.</summary>
    public bool? RedisAwsServerless { get; set; }
}
