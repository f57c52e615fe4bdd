// The options that are times, as spans of time.
using System;

namespace Flagstone;

public sealed partial class FlagstoneOptions
{
    /// <summary><see cref="RedisConnectTimeoutMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? RedisConnectTimeout
    {
        get => ToTime(RedisConnectTimeoutMs);
        set => RedisConnectTimeoutMs = ToMilliseconds(value);
    }

    /// <summary><see cref="RedisCommandTimeoutMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? RedisCommandTimeout
    {
        get => ToTime(RedisCommandTimeoutMs);
        set => RedisCommandTimeoutMs = ToMilliseconds(value);
    }

    /// <summary><see cref="RedisPingMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? RedisPing
    {
        get => ToTime(RedisPingMs);
        set => RedisPingMs = ToMilliseconds(value);
    }

    /// <summary><see cref="CacheTtlMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? CacheTtl
    {
        get => ToTime(CacheTtlMs);
        set => CacheTtlMs = ToMilliseconds(value);
    }

    /// <summary><see cref="RefreshIntervalMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? RefreshInterval
    {
        get => ToTime(RefreshIntervalMs);
        set => RefreshIntervalMs = ToMilliseconds(value);
    }

    /// <summary><see cref="StreamInitialDelayMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? StreamInitialDelay
    {
        get => ToTime(StreamInitialDelayMs);
        set => StreamInitialDelayMs = ToMilliseconds(value);
    }

    /// <summary><see cref="StreamReadTimeoutMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? StreamReadTimeout
    {
        get => ToTime(StreamReadTimeoutMs);
        set => StreamReadTimeoutMs = ToMilliseconds(value);
    }

    /// <summary><see cref="PollIntervalMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? PollInterval
    {
        get => ToTime(PollIntervalMs);
        set => PollIntervalMs = ToMilliseconds(value);
    }

    /// <summary><see cref="HttpConnectTimeoutMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? HttpConnectTimeout
    {
        get => ToTime(HttpConnectTimeoutMs);
        set => HttpConnectTimeoutMs = ToMilliseconds(value);
    }

    /// <summary><see cref="HttpReadTimeoutMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? HttpReadTimeout
    {
        get => ToTime(HttpReadTimeoutMs);
        set => HttpReadTimeoutMs = ToMilliseconds(value);
    }

    /// <summary><see cref="EventsFlushIntervalMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? EventsFlushInterval
    {
        get => ToTime(EventsFlushIntervalMs);
        set => EventsFlushIntervalMs = ToMilliseconds(value);
    }

    /// <summary><see cref="EventsContextKeysFlushMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? EventsContextKeysFlush
    {
        get => ToTime(EventsContextKeysFlushMs);
        set => EventsContextKeysFlushMs = ToMilliseconds(value);
    }

    /// <summary><see cref="EventsDiagnosticIntervalMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? EventsDiagnosticInterval
    {
        get => ToTime(EventsDiagnosticIntervalMs);
        set => EventsDiagnosticIntervalMs = ToMilliseconds(value);
    }

    /// <summary><see cref="BigSegmentsCacheMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? BigSegmentsCache
    {
        get => ToTime(BigSegmentsCacheMs);
        set => BigSegmentsCacheMs = ToMilliseconds(value);
    }

    /// <summary><see cref="BigSegmentsPollIntervalMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? BigSegmentsPollInterval
    {
        get => ToTime(BigSegmentsPollIntervalMs);
        set => BigSegmentsPollIntervalMs = ToMilliseconds(value);
    }

    /// <summary><see cref="BigSegmentsStaleAfterMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? BigSegmentsStaleAfter
    {
        get => ToTime(BigSegmentsStaleAfterMs);
        set => BigSegmentsStaleAfterMs = ToMilliseconds(value);
    }

    private static TimeSpan? ToTime(int? milliseconds) => milliseconds is int set ? TimeSpan.FromMilliseconds(set) : null;

    // Beyond the range of an int is beyond what is allowed: refused when a client is made.
    private static int? ToMilliseconds(TimeSpan? time) => time is TimeSpan set
        ? (int)Math.Max(int.MinValue, Math.Min(int.MaxValue, Math.Ceiling(set.TotalMilliseconds)))
        : null;
}
