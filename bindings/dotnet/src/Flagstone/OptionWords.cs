// Options that are one of a few words.
namespace Flagstone;

/// <summary>What a client holds in memory.</summary>
public enum CacheResidency
{
    /// <summary>The whole data set.</summary>
    All = 0,

    /// <summary>At most <see cref="FlagstoneOptions.CacheCapacity"/> items, read when first asked for.</summary>
    Lazy = 1,

    /// <summary>Nothing: every lookup reads Redis. For tests and tools.</summary>
    Off = 2,
}

/// <summary>How held items are kept true.</summary>
public enum CacheFreshness
{
    /// <summary>Redis tells what changed (Redis 6 or newer; steps down to <see cref="Ttl"/> where the server refuses).</summary>
    Push = 0,

    /// <summary>Items are read again when older than <see cref="FlagstoneOptions.CacheTtlMs"/>.</summary>
    Ttl = 1,

    /// <summary>Items are never read again.</summary>
    Forever = 2,
}

/// <summary>Whether Redis publishes notifications of keys and hash fields.</summary>
public enum KeyspaceNotifications
{
    /// <summary>It is asked, and where it does not tell they are not used.</summary>
    Ask = 0,

    /// <summary>It counts as configured to, also where it does not tell.</summary>
    Assume = 1,
}

/// <summary>What happens to held items when Redis loses the data set.</summary>
public enum CacheOnWipe
{
    /// <summary>They stay in force until the data set is back.</summary>
    Keep = 0,

    /// <summary>They are dropped: Redis is taken as it is.</summary>
    Clear = 1,
}

/// <summary>What becomes of the fraction of a number that is asked for as an integer.</summary>
public enum IntegerRounding
{
    /// <summary>To the nearest integer, halves to the even one.</summary>
    HalfEven = 0,

    /// <summary>Toward zero, as LaunchDarkly's SDKs for Go, Java and C++ do.</summary>
    Truncate = 1,
}

/// <summary>Where the flags come from.</summary>
public enum SourceKind
{
    /// <summary>Redis, where somebody else keeps them: daemon mode.</summary>
    None = 0,

    /// <summary>The stream of LaunchDarkly or of a Relay Proxy.</summary>
    Stream = 1,

    /// <summary>The same, asked at intervals.</summary>
    Poll = 2,

    /// <summary>The files named by <see cref="FlagstoneOptions.FilePaths"/>.</summary>
    File = 3,

    /// <summary><see cref="FlagstoneOptions.TestData"/>, which is enough to set.</summary>
    TestData = 4,

    /// <summary>LaunchDarkly or a Relay Proxy, in the protocol that sends only what has changed since (FDv2).</summary>
    Fdv2 = 5,
}

/// <summary>Where user and password for Redis come from.</summary>
public enum RedisCredentialsSource
{
    /// <summary>The options, or <see cref="FlagstoneOptions.RedisPasswordFile"/>.</summary>
    Static = 0,

    /// <summary>
    /// <see cref="FlagstoneOptions.RedisCredentialsProvider"/>, or whoever calls
    /// <see cref="FlagstoneClient.SetRedisCredentials(RedisCredentials)"/>.
    /// </summary>
    Host = 1,

    /// <summary>
    /// Tokens for AWS ElastiCache and MemoryDB, which the library makes of the process's identity at AWS; the user is
    /// <see cref="FlagstoneOptions.RedisUsername"/>.
    /// </summary>
    AwsIam = 2,
}

/// <summary>What tokens of <see cref="RedisCredentialsSource.AwsIam"/> are for.</summary>
public enum RedisAwsService
{
    /// <summary>ElastiCache.</summary>
    ElastiCache = 0,

    /// <summary>MemoryDB.</summary>
    MemoryDb = 1,
}

/// <summary>What a server that refuses means for a source.</summary>
public enum RetryMode
{
    /// <summary>A status such as 401 or 403 ends the source for good.</summary>
    Legacy = 0,

    /// <summary>Nothing does: it is tried again after minutes.</summary>
    Extended = 1,
}

/// <summary>What happens to an item that is in two files.</summary>
public enum FileDuplicates
{
    /// <summary>It is an error.</summary>
    Fail = 0,

    /// <summary>The first one counts.</summary>
    First = 1,
}
