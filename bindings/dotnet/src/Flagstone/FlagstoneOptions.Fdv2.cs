// The options of the protocol that sends only what has changed since: which sources speak it, and when one gives way to another.
using System;
using System.Collections.Generic;

namespace Flagstone;

public sealed partial class FlagstoneOptions
{
#pragma warning disable CA2227 // null says that nothing is set, as everywhere here
    /// <summary>
    /// For <see cref="Flagstone.SourceKind.Fdv2"/>: the sources that are asked once each for the first data: <c>poll</c>, or with
    /// an address of its own <c>poll https://example.org</c>. Default: ["poll"].
    /// </summary>
    public IList<string>? Fdv2Initializers { get; set; }

    /// <summary>
    /// For <see cref="Flagstone.SourceKind.Fdv2"/>: the sources that keep data true, one at a time, the first preferred:
    /// <c>stream</c>, <c>poll</c>, with or without an address. Default: ["stream","poll"].
    /// </summary>
    public IList<string>? Fdv2Synchronizers { get; set; }
#pragma warning restore CA2227

    /// <summary>
    /// What is done where a server asks for the protocol of <see cref="Flagstone.SourceKind.Stream"/> and
    /// <see cref="Flagstone.SourceKind.Poll"/>: <c>poll</c>, with or without an address, or <c>none</c>. Default: poll.
    /// </summary>
    public string? Fdv2Fallback { get; set; }

    /// <summary>A synchronizer that has brought nothing for so long gives way to the next. Default: 120000.</summary>
    public int? Fdv2FallbackAfterMs { get; set; }

    /// <summary>Another than the first that is well for so long gives way to the first. Default: 300000.</summary>
    public int? Fdv2RecoverAfterMs { get; set; }

    /// <summary>As <see cref="Fdv2FallbackAfterMs"/> while there are no data at all; more each time. Default: 10000.</summary>
    public int? Fdv2FirstDataMs { get; set; }

    /// <summary><see cref="Fdv2FallbackAfterMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? Fdv2FallbackAfter
    {
        get => ToTime(Fdv2FallbackAfterMs);
        set => Fdv2FallbackAfterMs = ToMilliseconds(value);
    }

    /// <summary><see cref="Fdv2RecoverAfterMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? Fdv2RecoverAfter
    {
        get => ToTime(Fdv2RecoverAfterMs);
        set => Fdv2RecoverAfterMs = ToMilliseconds(value);
    }

    /// <summary><see cref="Fdv2FirstDataMs"/> as a span of time, rounded up to milliseconds: one value under two names.</summary>
    public TimeSpan? Fdv2FirstData
    {
        get => ToTime(Fdv2FirstDataMs);
        set => Fdv2FirstDataMs = ToMilliseconds(value);
    }
}
