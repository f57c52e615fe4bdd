// Everything that is written to the logger.
using System;
using Microsoft.Extensions.Logging;

namespace Flagstone.Extensions.Hosting;

internal static partial class HostingLog
{
    [LoggerMessage(EventId = 201, EventName = "Started", Level = LogLevel.Information,
        Message = "{Client}: {FlagCount} flags after {Milliseconds} ms")]
    internal static partial void Started(ILogger logger, string client, long flagCount, long milliseconds);

    [LoggerMessage(EventId = 202, EventName = "NoFlags", Level = LogLevel.Warning,
        Message = "{Client}: no flags within {Seconds} s; it goes on trying. {Status}")]
    internal static partial void NoFlags(ILogger logger, string client, double seconds, string status);

    [LoggerMessage(EventId = 203, EventName = "NotFlushed", Level = LogLevel.Warning,
        Message = "{Client}: not all events were delivered within {Seconds} s")]
    internal static partial void NotFlushed(ILogger logger, string client, double seconds);

    [LoggerMessage(EventId = 204, EventName = "Ended", Level = LogLevel.Debug, Message = "{Client}: ended")]
    internal static partial void Ended(ILogger logger, string client);
}
