// Everything that is written to the logger.
using System;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal static partial class Log
{
    /// <summary>A line of the library of which it does not say what it is about; an older one says so of none.</summary>
    [LoggerMessage(EventId = 1, EventName = "Native", Message = "{Line}")]
    internal static partial void Native(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 101, EventName = "Client", Message = "{Line}")]
    internal static partial void Client(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 102, EventName = "Source", Message = "{Line}")]
    internal static partial void Source(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 103, EventName = "Store", Message = "{Line}")]
    internal static partial void Store(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 104, EventName = "Events", Message = "{Line}")]
    internal static partial void Events(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 105, EventName = "BigSegments", Message = "{Line}")]
    internal static partial void BigSegments(ILogger logger, LogLevel level, string line);

    [LoggerMessage(EventId = 2, EventName = "HandlerThrew", Level = LogLevel.Error, Message = "A handler threw an exception.")]
    internal static partial void HandlerThrew(ILogger logger, Exception error);

    [LoggerMessage(EventId = 3, EventName = "NotDelivered", Level = LogLevel.Error,
        Message = "A notification could not be delivered.")]
    internal static partial void NotDelivered(ILogger logger, Exception error);

    [LoggerMessage(EventId = 4, EventName = "NoContext", Level = LogLevel.Warning,
        Message = "An evaluation gave the default: its context is null. This is said once per client.")]
    internal static partial void NoContext(ILogger logger);

    [LoggerMessage(EventId = 5, EventName = "NoKey", Level = LogLevel.Warning,
        Message = "An evaluation gave the default: its key is null, too long, or cannot be written as UTF-8. "
            + "This is said once per client.")]
    internal static partial void NoKey(ILogger logger);

    [LoggerMessage(EventId = 6, EventName = "PollFailed", Level = LogLevel.Error,
        Message = "A notification could not be taken: the library answers with status {Status}.")]
    internal static partial void PollFailed(ILogger logger, int status);

    [LoggerMessage(EventId = 7, EventName = "NotTold", Level = LogLevel.Warning,
        Message = "An event was not sent: {Reason}. This is said once per client.")]
    internal static partial void NotTold(ILogger logger, string reason);

    [LoggerMessage(EventId = 8, EventName = "HookThrew", Level = LogLevel.Error,
        Message = "The hook {Hook} threw an exception in {Stage} of {Key}.")]
    internal static partial void HookThrew(ILogger logger, Exception error, string hook, string stage, string key);

    [LoggerMessage(EventId = 9, EventName = "PluginThrew", Level = LogLevel.Error,
        Message = "The plugin {Plugin} threw an exception in {Stage}.")]
    internal static partial void PluginThrew(ILogger logger, Exception error, string plugin, string stage);

    [LoggerMessage(EventId = 10, EventName = "ComparisonThrew", Level = LogLevel.Error,
        Message = "The comparison of the two results of a migration's read threw an exception.")]
    internal static partial void ComparisonThrew(ILogger logger, Exception error);

    [LoggerMessage(EventId = 11, EventName = "StoreThrew", Level = LogLevel.Error,
        Message = "The big-segment store failed in {Method}. This is said once until it answers again.")]
    internal static partial void StoreThrew(ILogger logger, Exception error, string method);

    [LoggerMessage(EventId = 12, EventName = "StoreNotDisposed", Level = LogLevel.Error,
        Message = "The big-segment store could not be disposed of.")]
    internal static partial void StoreNotDisposed(ILogger logger, Exception error);

    [LoggerMessage(EventId = 14, EventName = "CredentialsFailed", Level = LogLevel.Warning,
        Message = "The provider of Redis credentials failed and is asked again in {Seconds:F1} s.")]
    internal static partial void CredentialsFailed(ILogger logger, Exception error, double seconds);

    [LoggerMessage(EventId = 13, EventName = "HookNotDisposed", Level = LogLevel.Error,
        Message = "The hook {Hook} could not be disposed of.")]
    internal static partial void HookNotDisposed(ILogger logger, Exception error, string hook);
}
