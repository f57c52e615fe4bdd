// The host's logger behind a guard: what it throws must reach neither an evaluation nor the thread that delivers notifications.
using System;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal sealed class SafeLogger(ILogger logger) : ILogger
{
#pragma warning disable CA1031 // there is nobody left to tell
    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return logger.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            return false;
        }
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
        }
    }
#pragma warning restore CA1031

    /// <summary>The library opens no scopes.</summary>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;
}
