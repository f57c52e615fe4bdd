// From the harness's configuration to a client.
namespace Flagstone.ContractService;

internal static class Configuration
{
    /// <summary>A client that has been started, ready or not: with a data source that fails there is a client all the same.</summary>
    internal static async Task<FlagstoneClient> OpenAsync(ClientConfiguration configuration, ILoggerFactory loggers)
    {
        FlagstoneOptions options = new()
        {
            SdkKey = configuration.Credential,
            LoggerFactory = loggers,
            EndpointsStream = configuration.ServiceEndpoints?.Streaming,
            EndpointsPoll = configuration.ServiceEndpoints?.Polling,
            EndpointsEvents = configuration.ServiceEndpoints?.Events,
            // With an SDK key there would be events anyhow.
            EventsEnabled = configuration.Events is not null,
            ApplicationId = configuration.Tags?.ApplicationId,
            ApplicationVersion = configuration.Tags?.ApplicationVersion,
            WrapperName = configuration.Wrapper?.Name,
            WrapperVersion = configuration.Wrapper?.Version,
            HttpProxy = configuration.Proxy?.HttpProxy,
            HttpTlsSkipVerify = configuration.Tls?.SkipVerifyPeer,
            HttpTlsCaFile = configuration.Tls?.CustomCaFile,
            Hooks = configuration.Hooks?.Hooks.ConvertAll<Hook>(hook => new CallbackHook(hook)),
        };
        AddSource(options, configuration);
        AddEvents(options, configuration.Events);
        AddBigSegments(options, configuration.BigSegments);
        AddPersistence(options, configuration.PersistentDataStore);
        FlagstoneClient client = new(options);
        int wait = configuration.StartWaitTimeMs is int set and not 0 ? set : 5000;
        await client.StartAsync(TimeSpan.FromMilliseconds(wait));
        return client;
    }

    private static void AddSource(FlagstoneOptions options, ClientConfiguration configuration)
    {
        if (configuration.Streaming is SourcePart streaming)
        {
            options.SourceKind = SourceKind.Stream;
            options.SourceFilter = streaming.Filter;
            options.StreamInitialDelayMs = streaming.InitialRetryDelayMs;
            options.EndpointsStream = Own(streaming.BaseUri) ?? options.EndpointsStream;
        }
        else if (configuration.Polling is SourcePart polling)
        {
            options.SourceKind = SourceKind.Poll;
            options.SourceFilter = polling.Filter;
            options.PollIntervalMs = polling.PollIntervalMs;
            options.PollAllowShort = true;
            options.EndpointsPoll = Own(polling.BaseUri) ?? options.EndpointsPoll;
        }
        else if (configuration.PersistentDataStore is null)
        {
            options.SourceKind = SourceKind.Stream;
        }
    }

    private static void AddEvents(FlagstoneOptions options, EventsPart? events)
    {
        options.EndpointsEvents = Own(events?.BaseUri) ?? options.EndpointsEvents;
        options.EventsCapacity = events?.Capacity;
        options.EventsFlushIntervalMs = events?.FlushIntervalMs;
        options.EventsDiagnostics = events?.EnableDiagnostics ?? false;
        options.EventsAllAttributesPrivate = events?.AllAttributesPrivate;
        options.EventsPrivateAttributes = events?.GlobalPrivateAttributes;
        options.EventsOmitAnonymousContexts = events?.OmitAnonymousContexts;
        options.EventsGzip = events?.EnableGzip ?? false;
    }

    private static void AddBigSegments(FlagstoneOptions options, BigSegmentsPart? bigSegments)
    {
        options.BigSegmentStore = bigSegments is null ? null : new CallbackStore(bigSegments.CallbackUri);
        options.BigSegmentsCacheSize = bigSegments?.UserCacheSize;
        options.BigSegmentsCacheMs = bigSegments?.UserCacheTimeMs;
        options.BigSegmentsPollIntervalMs = bigSegments?.StatusPollIntervalMs;
        options.BigSegmentsStaleAfterMs = bigSegments?.StaleAfterMs;
    }

    private static void AddPersistence(FlagstoneOptions options, PersistencePart? persistence)
    {
        if (persistence is null)
        {
            return;
        }
        options.RedisUrl = persistence.Store.Type == "redis"
            ? persistence.Store.Dsn
            : throw new RefusedException(501, "there is no other persistent store than Redis");
        options.RedisPrefix = persistence.Store.Prefix;
        // LaunchDarkly's SDKs take Redis as it is.
        options.CacheOnWipe = CacheOnWipe.Clear;
        (options.CacheResidency, options.CacheFreshness) = persistence.Cache.Mode switch
        {
            "off" => (CacheResidency.Off, (CacheFreshness?)null),
            "ttl" => (CacheResidency.Lazy, CacheFreshness.Ttl),
            "infinite" => (CacheResidency.Lazy, CacheFreshness.Forever),
            _ => throw new RefusedException(400, $"{persistence.Cache.Mode} is no cache mode"),
        };
        options.CacheTtl = persistence.Cache.Ttl is int seconds ? TimeSpan.FromSeconds(seconds)
            : persistence.Cache.Mode == "ttl" ? throw new RefusedException(400, "the cache has no ttl") : null;
    }

    /// <summary>A component's own base address, which wins over the common ones; it may have none.</summary>
    private static string? Own(string? address) => string.IsNullOrEmpty(address) ? null : address;
}
