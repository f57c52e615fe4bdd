// A logger that keeps what it gets.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using Microsoft.Extensions.Logging;

namespace Flagstone.Tests.Support;

internal sealed class ListLogger : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<Line> _lines = new();

    internal IReadOnlyList<Line> Lines => [.. _lines];

    internal bool Has(string part) => _lines.Any(line => line.Text.Contains(part, StringComparison.Ordinal));

    public ILogger CreateLogger(string categoryName)
    {
        Category = categoryName;
        return this;
    }

    internal string? Category { get; private set; }

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue(new Line(logLevel, formatter(state, exception), exception));

    internal sealed record Line(LogLevel Level, string Text, Exception? Error);
}
