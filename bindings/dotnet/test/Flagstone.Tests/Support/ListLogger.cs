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

    public ILogger CreateLogger(string categoryName) => new OfCategory(this, categoryName);

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
        Keep("", logLevel, eventId, state, exception, formatter);

    private void Keep<TState>(
        string category, LogLevel level, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue(new Line(level, formatter(state, exception), exception)
        {
            Category = category,
            Event = eventId,
            Fields = state is IEnumerable<KeyValuePair<string, object?>> fields
                ? fields.ToDictionary(static field => field.Key, static field => field.Value)
                : [],
        });

    internal sealed record Line(LogLevel Level, string Text, Exception? Error)
    {
        internal string Category { get; init; } = "";

        internal EventId Event { get; init; }

        internal IReadOnlyDictionary<string, object?> Fields { get; init; } = new Dictionary<string, object?>();
    }

    private sealed class OfCategory(ListLogger lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Keep(category, logLevel, eventId, state, exception, formatter);
    }
}
