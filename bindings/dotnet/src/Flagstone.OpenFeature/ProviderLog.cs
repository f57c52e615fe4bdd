// Everything that is written to the logger.
using Microsoft.Extensions.Logging;

namespace Flagstone.OpenFeature;

internal static partial class ProviderLog
{
    [LoggerMessage(EventId = 301, EventName = "OddAttribute", Level = LogLevel.Warning, Message = "The attribute {Attribute}: {Reason}.")]
    internal static partial void OddAttribute(ILogger logger, string attribute, string reason);

    [LoggerMessage(EventId = 302, EventName = "NoContext", Level = LogLevel.Error, Message = "The evaluation context is none: {Reason}")]
    internal static partial void NoContext(ILogger logger, string reason);

    [LoggerMessage(EventId = 303, EventName = "NotTracked", Level = LogLevel.Warning,
        Message = "{Event} was not tracked: there is no evaluation context.")]
    internal static partial void NotTracked(ILogger logger, string @event);
}
