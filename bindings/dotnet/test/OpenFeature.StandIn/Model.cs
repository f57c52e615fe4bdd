// Values, contexts and what a provider returns.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using OpenFeature.Constant;

namespace OpenFeature.Model;

public sealed class Metadata(string? name)
{
    public string? Name { get; } = name;
}

public sealed class Value
{
    public Value() => AsObject = null;

    public Value(bool value) => AsObject = value;

    public Value(int value) => AsObject = (double)value;

    public Value(double value) => AsObject = value;

    public Value(string value) => AsObject = value;

    public Value(DateTime value) => AsObject = value;

    public Value(Structure value) => AsObject = value;

    public Value(IList<Value> value) => AsObject = value.ToImmutableList();

    public object? AsObject { get; }

    public bool IsNull => AsObject is null;

    public bool IsBoolean => AsObject is bool;

    public bool IsNumber => AsObject is double;

    public bool IsString => AsObject is string;

    public bool IsStructure => AsObject is Structure;

    public bool IsList => AsObject is IImmutableList<Value>;

    public bool IsDateTime => AsObject is DateTime;

    public bool? AsBoolean => AsObject as bool?;

    public int? AsInteger => AsObject is double number ? Convert.ToInt32(number) : null;

    public double? AsDouble => AsObject as double?;

    public string? AsString => AsObject as string;

    public Structure? AsStructure => AsObject as Structure;

    public IImmutableList<Value>? AsList => AsObject as IImmutableList<Value>;

    public DateTime? AsDateTime => AsObject as DateTime?;
}

public sealed class Structure(IDictionary<string, Value> attributes) : IEnumerable<KeyValuePair<string, Value>>
{
    private readonly ImmutableDictionary<string, Value> _attributes = attributes.ToImmutableDictionary();

    public static Structure Empty { get; } = new(new Dictionary<string, Value>());

    public int Count => _attributes.Count;

    public Value this[string key] => _attributes[key];

    public Value GetValue(string key) => _attributes[key];

    public bool ContainsKey(string key) => _attributes.ContainsKey(key);

    public bool TryGetValue(string key, out Value? value) => _attributes.TryGetValue(key, out value);

    public IImmutableDictionary<string, Value> AsDictionary() => _attributes;

    public static StructureBuilder Builder() => new();

    public IEnumerator<KeyValuePair<string, Value>> GetEnumerator() => _attributes.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public sealed class StructureBuilder
{
    private readonly Dictionary<string, Value> _attributes = [];

    public StructureBuilder Set(string key, Value value)
    {
        _attributes[key] = value;
        return this;
    }

    public StructureBuilder Set(string key, string value) => Set(key, new Value(value));

    public StructureBuilder Set(string key, bool value) => Set(key, new Value(value));

    public StructureBuilder Set(string key, int value) => Set(key, new Value(value));

    public StructureBuilder Set(string key, double value) => Set(key, new Value(value));

    public Structure Build() => new(_attributes);
}

public sealed class EvaluationContext
{
    private const string TargetingKeyName = "targetingKey";

    private readonly Structure _structure;

    internal EvaluationContext(Structure structure) => _structure = structure;

    public static EvaluationContext Empty { get; } = new(Structure.Empty);

    public string? TargetingKey => _structure.TryGetValue(TargetingKeyName, out Value? key) ? key?.AsString : null;

    public int Count => _structure.Count;

    public Value GetValue(string key) => _structure.GetValue(key);

    public bool ContainsKey(string key) => _structure.ContainsKey(key);

    public bool TryGetValue(string key, out Value? value) => _structure.TryGetValue(key, out value);

    public IImmutableDictionary<string, Value> AsDictionary() => _structure.AsDictionary();

    public IEnumerator<KeyValuePair<string, Value>> GetEnumerator() => _structure.GetEnumerator();

    public static EvaluationContextBuilder Builder() => new();
}

public sealed class EvaluationContextBuilder
{
    private readonly StructureBuilder _attributes = Structure.Builder();

    public EvaluationContextBuilder SetTargetingKey(string targetingKey) => Set("targetingKey", targetingKey);

    public EvaluationContextBuilder Set(string key, Value value)
    {
        _attributes.Set(key, value);
        return this;
    }

    public EvaluationContextBuilder Set(string key, string value) => Set(key, new Value(value));

    public EvaluationContextBuilder Set(string key, int value) => Set(key, new Value(value));

    public EvaluationContextBuilder Set(string key, double value) => Set(key, new Value(value));

    public EvaluationContextBuilder Set(string key, bool value) => Set(key, new Value(value));

    public EvaluationContextBuilder Set(string key, DateTime value) => Set(key, new Value(value));

    public EvaluationContextBuilder Set(string key, Structure value) => Set(key, new Value(value));

    public EvaluationContext Build() => new(_attributes.Build());
}

public sealed class TrackingEventDetails
{
    public readonly double? Value;

    private readonly Structure _structure;

    internal TrackingEventDetails(Structure structure, double? value)
    {
        _structure = structure;
        Value = value;
    }

    public static TrackingEventDetails Empty { get; } = new(Structure.Empty, null);

    public int Count => _structure.Count;

    public IImmutableDictionary<string, Value> AsDictionary() => _structure.AsDictionary();

    public static TrackingEventDetailsBuilder Builder() => new();
}

public sealed class TrackingEventDetailsBuilder
{
    private readonly StructureBuilder _attributes = Structure.Builder();
    private double? _value;

    public TrackingEventDetailsBuilder SetValue(double? value)
    {
        _value = value;
        return this;
    }

    public TrackingEventDetailsBuilder Set(string key, string value)
    {
        _attributes.Set(key, value);
        return this;
    }

    public TrackingEventDetails Build() => new(_attributes.Build(), _value);
}

public sealed class ImmutableMetadata
{
    private readonly Dictionary<string, object> _metadata;

    public ImmutableMetadata()
        : this([])
    {
    }

    public ImmutableMetadata(Dictionary<string, object> metadata) => _metadata = metadata.ToDictionary(pair => pair.Key, pair => pair.Value);

    public bool? GetBool(string key) => Get(key) as bool?;

    public int? GetInt(string key) => Get(key) as int?;

    public double? GetDouble(string key) => Get(key) as double?;

    public string? GetString(string key) => Get(key) as string;

    private object? Get(string key) => _metadata.TryGetValue(key, out object? value) ? value : null;
}

public sealed class ResolutionDetails<T>(
    string flagKey, T value, ErrorType errorType = ErrorType.None, string? reason = null, string? variant = null,
    string? errorMessage = null, ImmutableMetadata? flagMetadata = null)
{
    public T Value { get; } = value;

    public string FlagKey { get; } = flagKey;

    public ErrorType ErrorType { get; } = errorType;

    public string? ErrorMessage { get; } = errorMessage;

    public string? Reason { get; } = reason;

    public string? Variant { get; } = variant;

    public ImmutableMetadata? FlagMetadata { get; } = flagMetadata;
}

public sealed class FlagEvaluationDetails<T>(
    string flagKey, T value, ErrorType errorType, string? reason, string? variant, string? errorMessage = null,
    ImmutableMetadata? flagMetadata = null)
{
    public T Value { get; } = value;

    public string FlagKey { get; } = flagKey;

    public ErrorType ErrorType { get; } = errorType;

    public string? ErrorMessage { get; } = errorMessage;

    public string? Reason { get; } = reason;

    public string? Variant { get; } = variant;

    public ImmutableMetadata? FlagMetadata { get; } = flagMetadata;
}

public delegate void EventHandlerDelegate(ProviderEventPayload? eventDetails);

public class ProviderEventPayload
{
    public string? ProviderName { get; set; }

    public ProviderEventTypes Type { get; set; }

    public string? Message { get; set; }

    public ErrorType? ErrorType { get; set; }

    public List<string>? FlagsChanged { get; set; }

    public ImmutableMetadata? EventMetadata { get; set; }
}
