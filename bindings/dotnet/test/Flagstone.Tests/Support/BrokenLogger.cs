// A logger that throws.
using System;
using System.Threading;
using Microsoft.Extensions.Logging;

namespace Flagstone.Tests.Support;

/// <param name="whenAsked">Whether it throws already when it is asked for its levels.</param>
internal sealed class BrokenLogger(bool whenAsked) : ILoggerFactory, ILogger
{
    private int _calls;

    /// <summary>How often it has thrown.</summary>
    internal int Calls => Volatile.Read(ref _calls);

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => throw new InvalidOperationException("by the logger");

    public bool IsEnabled(LogLevel logLevel) => !whenAsked || Throw();

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Throw();

    private bool Throw()
    {
        Interlocked.Increment(ref _calls);
        throw new InvalidOperationException("by the logger");
    }
}
